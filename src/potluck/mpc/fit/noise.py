"""Noise of a fit that no one knows whole: each compute party draws its own, and shares it with the others.

What it hides: each party's noise, from every other, as an owner's columns are hidden. The program adds up all of it.
It does NOT keep a party from drawing none: if all others draw theirs, that is enough (see `dp.noise_on_shares`).
"""

from collections.abc import Mapping
from functools import partial

from potluck.core.fitting import Fitting, Noise, Sampler, Take
from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel
from potluck.core.wire import dump, load
from potluck.mpc.coordination import Place
from potluck.mpc.fit import messages as m
from potluck.mpc.fit.parts import STEP, dealt, fits, shares, sizes
from potluck.mpc.replicated import held
from potluck.secret.box import BoxKey, PublicBoxKey


def noised(
    place: Place,
    fitting: Fitting,
    me: Credentials,
    key: BoxKey,
    boxes: Mapping[Party, bytes],
    noise: Noise,
    sample: Sampler,
) -> Half[list[bytes]]:
    """This party's share of each party's noise, by rank. boxes: the others' public keys of this round.

    Raises Abort: SILENT; BOX, MALFORMED, naming whose noise is not what it should be.
    """
    take = Take(place.rank, "fixed", noise.shape)
    drawn = sample(noise.sigma, take.size, me.draw).reshape(noise.shape) / STEP
    parts = dealt([take], [drawn], m.noise_info(fitting, place.me), me.draw, len(place.ranks))
    label, send = fitting.label(m.NOISE), dict[Party, Parcel]()
    for rank, party in enumerate(place.ranks):
        if party != place.me:
            body, info = dump(m.Dealt(*held(parts, rank))), m.noise_box_info(fitting, place.me, party)
            send[party] = Parcel(label, dump(m.Outcome(PublicBoxKey(boxes[party]).seal(body, info))))
    read = partial(_read, place, fitting, key, take)
    inbox = yield Exchange(label, send, place.others, len(place.others), fitting.hops(60), read=read)
    got = {party: load(body, m.Dealt, party).held for party, body in inbox.got.items()}
    got[place.me] = held(parts, place.rank)
    return [shares([take], got[party], m.noise_info(fitting, party))[0] for party in place.ranks]


def _read(place: Place, fitting: Fitting, key: BoxKey, take: Take, sender: Party, body: bytes) -> bytes:
    opened = key.unseal(load(body, m.Outcome, sender).box, m.noise_box_info(fitting, sender, place.me))
    parts = load(opened, m.Dealt, sender).held
    if len(parts) != len(place.ranks) - 1 or not all(fits(part, sizes([take])) for part in parts):
        raise Abort(Cause.MALFORMED, party=sender, step=m.NOISE, detail="noise of another shape")
    return opened
