"""The batches of local steps, by the definition in the plan's reference."""

from potluck.core.seeded import generator


def batches(how, step, rows):
    """The public shuffles of the plan's reference: as many steps, whatever rows there are."""
    epoch, left = 0, how.steps
    while True:
        order = generator(how.seed, "average", step, epoch).permutation(rows)
        for start in range(0, rows, how.batch):
            if not left:
                return
            left -= 1
            yield order[start : start + how.batch]
        epoch += 1
