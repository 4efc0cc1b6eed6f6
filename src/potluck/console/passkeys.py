"""Passkeys (W3C Web Authentication, level 3): made at an invitation, and signed with at sign-in.

A passkey holds for one host name, and the browser signs where it was asked: a page that only looks like this one gets
nothing. The authenticator must have verified its user (a finger, a PIN). No attestation is asked for: any maker's is
taken.
"""

import json
from dataclasses import dataclass

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from potluck.console.challenges import Challenges
from potluck.console.origin import Origin
from potluck.core.errors import Refused
from potluck.members.persons import Passkey, Person, Persons

SIGN_IN = "sign-in"
_MADE = AuthenticatorSelectionCriteria(
    resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
)
_WRONG = "this passkey was not accepted"


@dataclass(frozen=True)
class Passkeys:
    """Of one home's pages."""

    origin: Origin
    title: str
    challenges: Challenges

    def making(self, person: Person) -> str:
        """What a browser is told to make a passkey for a person, as JSON."""
        return options_to_json(
            generate_registration_options(
                rp_id=self.origin.name,
                rp_name=f"Potluck, {self.title}",
                user_name=person.name,
                user_id=bytes.fromhex(person.handle),
                challenge=self.challenges.make(person.handle),
                authenticator_selection=_MADE,
            )
        )

    def made(self, person: Person, answer: str) -> Passkey:
        """The passkey that it made. Raises Refused: not for this person, these pages, or this once."""
        challenge = self._used(answer, person.handle)
        try:
            found = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self.origin.name,
                expected_origin=self.origin.text,
                require_user_verification=True,
            )
            # Nobody's signature is checked here: a key that could check none would be found out at the first sign-in.
            decoded_public_key_to_cryptography(decode_credential_public_key(found.credential_public_key))
        except (WebAuthnException, ValueError, KeyError, TypeError):
            raise Refused(_WRONG, hint="load the page again, or choose a password") from None
        return Passkey(id=found.credential_id, key=found.credential_public_key, count=found.sign_count)

    def asking(self) -> str:
        """What a browser is told to sign in, as JSON: no name is in it, the passkey brings its person's handle."""
        return options_to_json(
            generate_authentication_options(
                rp_id=self.origin.name,
                challenge=self.challenges.make(SIGN_IN),
                user_verification=UserVerificationRequirement.REQUIRED,
            )
        )

    def signed(self, persons: Persons, answer: str) -> Person:
        """Who signed. Raises Refused: nobody who is known here, or not for this once."""
        challenge = self._used(answer, SIGN_IN)
        ident = _field(answer, "rawId")
        owner = next((one for one in persons.all() for key in one.passkeys if key.id == ident), None)
        if owner is None:
            raise Refused(_WRONG, hint="ask for an invitation: potluck site person add")
        kept = next(one for one in owner.passkeys if one.id == ident)
        try:
            found = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self.origin.name,
                expected_origin=self.origin.text,
                credential_public_key=kept.key,
                credential_current_sign_count=kept.count,
                require_user_verification=True,
            )
        except WebAuthnException:
            raise Refused(_WRONG, hint="load the page again, or sign in with a password") from None
        persons.signed(owner.name, Passkey(id=kept.id, key=kept.key, count=found.new_sign_count))
        return owner

    def _used(self, answer: str, purpose: str) -> bytes:
        """The challenge that an answer says it signed, which the library compares with what was signed."""
        try:
            said = json.loads(_field(answer, "response", "clientDataJSON"))
            challenge = base64url_to_bytes(said["challenge"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Refused(_WRONG, hint="load the page again") from None
        self.challenges.use(challenge, purpose)
        return challenge


def _field(answer: str, *path: str) -> bytes:
    """Bytes in an answer. Raises Refused: not there."""
    try:
        found = json.loads(answer)
        for name in path:
            found = found[name]
        return base64url_to_bytes(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused(_WRONG, hint="load the page again") from None
