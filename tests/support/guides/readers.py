"""People who do what a guide says, one at each machine."""

import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from support.guides.machines import Machines, interrupt
from support.guides.page import Await, Interrupt, Mail, Step, Type, Write


class Readers:
    """said: what they read on their screens, by machine and command; hashes: of plans that they were asked for."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.said: dict[tuple[str, str], str] = {}
        self.hashes: dict[str, str] = {}

    def do(self, todo: Sequence[Step]) -> None:
        """All steps. Commands that follow one another on different machines are typed side by side."""
        typing: list[Type] = []
        for step in todo:
            if isinstance(step, Type) and not step.terminal:
                typing.append(step)
                continue
            self._type(typing)
            typing = []
            self.does(step)
        self._type(typing)

    def _type(self, typing: Sequence[Type]) -> None:
        def one(name: str) -> None:
            for step in typing:
                if step.machine == name:
                    self.types(step)

        with ThreadPoolExecutor() as people:
            list(people.map(one, dict.fromkeys(step.machine for step in typing)))

    def does(self, step: Step) -> None:
        """One step. Raises AssertionError: it did not go as the page says."""
        match step:
            case Write():
                path = self.machines.of[step.machine].home / step.path
                assert path.parent.is_dir(), f"{step.path}: no such folder yet"
                path.write_text(step.text, encoding="utf-8")
            case Mail():
                letter = self.machines.of[step.sender].home / step.path
                for name in step.to:
                    there = self.machines.of[name].home / letter.name
                    shutil.copytree(letter, there) if letter.is_dir() else shutil.copy(letter, there)
            case Await():
                self.machines.of[step.machine].terminal(step.terminal).awaits(step.text)
            case Interrupt():
                interrupt(self.machines.of[step.machine].terminal(step.terminal))
            case Type():
                self.types(step)

    def types(self, step: Type) -> None:
        """A command: it must end with 0, or stay."""
        machine = self.machines.of[step.machine]
        terminal = machine.terminal(step.terminal)
        before = len(terminal.shown)
        line = step.line.replace("HASH", self.hashes.get(step.machine, "HASH")[:16])
        code = machine.type(step.terminal, line)
        shown = terminal.shown[before:]
        assert code == 0, f"{step.machine}$ {line}: exit code {code}\n{shown}"
        self.said[step.machine, step.line] = shown
        if "site inbox" in line:
            self.hashes[step.machine] = re.findall(r"sha256:([0-9a-f]{64})", shown)[0]
