"""Claims about whoever asks a worker: it never hangs, and whatever the worker does has a name. No engine is needed."""

import gc
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from potluck.core.errors import UsageError
from potluck.core.rounds import Abort, Cause
from potluck.engines import frames
from potluck.engines.worker import Worker
from support.engines.rig import ECHO, gone, stub, until


@pytest.fixture
def made():
    """Makes workers, and ends them."""
    workers = []

    def make(body, **more):
        workers.append(Worker("he", program=stub(body), **more))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def aborted(worker, op="echo", *buffers, **more):
    with pytest.raises(Abort) as caught:
        worker.call(op, *buffers, **{"deadline": 20, **more})
    assert caught.value.cause is Cause.ENGINE
    return caught.value


def test_it_is_started_once_and_says_what_it_runs_on(made):
    worker = made(ECHO)
    assert worker.pid is None
    assert worker.call("echo", b"a", b"", b"c") == (b"a", b"", b"c")
    first = worker.pid
    assert worker.call("echo") == ()
    assert (worker.pid, worker.generation) == (first, 1)
    assert worker.versions == {"python": "3.12.0", "openfhe": "0", "numpy": "0"}


@pytest.mark.slow
def test_many_megabytes_go_there_and_back(made):
    large = os.urandom(1 << 20) * 40
    assert made(ECHO).call("echo", large, b"x", large) == (large, b"x", large)


def test_a_worker_killed_in_the_middle_is_a_named_abort_and_the_next_call_works(made, tmp_path):
    mark = tmp_path / "begun"
    worker = made(
        f"""
ready()
while True:
    request = read()
    if request.name == "wait":
        open({str(mark)!r}, "w").close()
        time.sleep(600)
    send(REPLY, request.name, request.number)
"""
    )
    worker.start()
    killer = threading.Thread(target=lambda: until(mark.exists) and os.kill(worker.pid, signal.SIGKILL))
    killer.start()
    abort = aborted(worker, "wait")
    killer.join()
    assert (abort.step, abort.detail) == ("wait", "ended by SIGKILL")
    assert worker.call("echo") == ()
    assert worker.generation == 2


def test_a_worker_killed_between_calls_is_started_again(made):
    worker = made(ECHO)
    worker.start()
    first = worker.pid
    os.kill(first, signal.SIGKILL)
    assert until(lambda: gone(first))
    assert worker.call("echo", b"x") == (b"x",)
    assert worker.generation == 2


def test_a_hang_ends_at_the_deadline_and_the_process_is_gone(made):
    worker = made("ready()\nread()\ntime.sleep(600)")
    worker.start()
    pid = worker.pid
    assert aborted(worker, "op", deadline=0.2).detail == "no answer in time"
    assert gone(pid)
    assert worker.pid is None


def test_a_worker_that_reads_nothing_cannot_hold_a_large_request(made):
    worker = made("ready()\ntime.sleep(600)")
    assert aborted(worker, "op", bytes(8 << 20), deadline=0.2).detail == "no answer in time"


def test_a_worker_that_never_gets_ready_is_given_up(made, monkeypatch):
    monkeypatch.setattr("potluck.engines.worker.START", 0.2)
    abort = aborted(made("time.sleep(600)"))
    assert (abort.step, abort.detail) == ("start", "no answer in time")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("print('Welcome to the engine, version 3', flush=True)\ntime.sleep(600)", "answered nonsense"),
        ("send(REPLY, 'ready', 1)\ntime.sleep(600)", "answered something else"),
        ("send(1, 'ready', 0)\ntime.sleep(600)", "answered nonsense"),
        ("send(REPLY, 'ready', 0, b'one two three')\ntime.sleep(600)", "answered nonsense"),
        ("send(ERROR, 'the self-test gives a wrong sum', 0)", "the self-test gives a wrong sum"),
        ("sys.exit(3)", "ended with code 3"),
        ("os.abort()", "ended by SIGABRT"),
        ("os.kill(os.getpid(), 40)", "ended by signal 40"),
    ],
)
def test_whatever_it_says_instead_of_being_ready_has_a_name(made, body, detail):
    worker = made(body)
    abort = aborted(worker)
    assert (abort.step, abort.detail) == ("start", detail)
    assert worker.pid is None


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ("os.write(1, b'Segmentation fault\\n' * 9)\ntime.sleep(600)", "answered nonsense"),
        ("send(REPLY, 'op', request.number + 1)\ntime.sleep(600)", "answered something else"),
        ("send(REPLY, 'op', request.number - 1)\ntime.sleep(600)", "answered something else"),
        ("send(ERROR, 'not reduced', request.number)\ntime.sleep(600)", "not reduced"),
        ("os.write(1, HEAD + b'\\xff' * 4)\ntime.sleep(600)", "answered nonsense"),
        ("os.write(1, HEAD + ONE + b'\\xff' * 8)\ntime.sleep(600)", "answered nonsense"),
        ("os.write(1, pack(REPLY, 'op', request.number, [bytes(99)])[0])\nsys.exit(4)", "ended with code 4"),
        ("os.write(1, b'PLE')\nos.kill(os.getpid(), 11)", "ended by SIGSEGV"),
        ("os.close(1)\ntime.sleep(600)", "ended"),
    ],
)
def test_whatever_it_answers_instead_of_a_reply_has_a_name_and_ends_it(made, answer, detail):
    worker = made("ready()\nrequest = read()\n" + answer)
    worker.start()
    pid = worker.pid
    abort = aborted(worker, "op")
    assert (abort.step, abort.detail) == ("op", detail)
    assert gone(pid)


def test_announced_bytes_take_no_memory_until_they_come(made):
    """It announces 2 GiB, which is within the limits, and sends none of it."""
    program = stub("ready()\nread()\nos.write(1, HEAD + ONE + (2 << 30).to_bytes(8, 'little'))\ntime.sleep(600)")
    code = f"""
import resource
from potluck.core.rounds import Abort
from potluck.engines import frames
from potluck.engines.worker import Worker
worker = Worker("he", program={program!r})
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
try:
    worker.call("op", deadline=0.5)
except Abort as abort:
    print(abort.detail)
worker.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "no answer in time\n"


def test_a_request_beyond_the_limits_is_an_abort_and_the_worker_stays(made, monkeypatch):
    monkeypatch.setattr("potluck.engines.frames.LARGEST", 100)
    worker = made(ECHO)
    worker.start()
    assert "too long" in aborted(worker, "op", bytes(101)).detail
    assert worker.call("echo", bytes(100)) == (bytes(100),)
    assert worker.generation == 1


def test_a_program_that_is_not_there_is_a_named_abort():
    abort = aborted(Worker("he", program=["/nonexistent/python"]))
    assert (abort.step, abort.detail) == ("start", "cannot be started (FileNotFoundError)")


def test_an_engine_that_is_not_installed_is_told_with_the_command_to_type(monkeypatch, tmp_path):
    monkeypatch.setenv("POTLUCK_ENGINES", str(tmp_path))
    with pytest.raises(UsageError, match=r"the engine he is not installed\. hint: potluck engine install he"):
        Worker("he").call("echo")


def test_calls_of_many_threads_each_get_their_own_answer(made):
    worker = made(ECHO)

    def ask(number):
        return all(worker.call("echo", b"%d" % number * 50_000) == (b"%d" % number * 50_000,) for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))
    assert worker.generation == 1


MEET = """
ready()
import socket
mine, peer = {mine!r}, {peer!r}
while True:
    request = read()
    box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    box.bind(mine)
    while True:
        try:
            box.sendto(request.buffers[0], peer)
            break
        except OSError:
            time.sleep(0.01)
    send(REPLY, request.name, request.number, box.recv(99))
"""


def test_workers_that_wait_for_each_other_are_asked_first_and_heard_later(made, tmp_path):
    ways = [str(tmp_path / name) for name in "ab"]
    first, second = (made(MEET.format(mine=mine, peer=peer)) for mine, peer in (ways, ways[::-1]))
    first.post("meet", b"from the first", deadline=20)
    second.post("meet", b"from the second", deadline=20)
    assert first.collect() == (b"from the second",)
    assert second.collect() == (b"from the first",)


def test_what_was_posted_is_collected_before_anything_else_is_asked(made):
    worker = made(ECHO)
    worker.post("echo", b"a")
    with pytest.raises(RuntimeError, match="echo is asked for in the middle of another call"):
        worker.call("echo", b"b")
    assert worker.collect() == (b"a",)
    with pytest.raises(RuntimeError, match="nothing was posted"):
        worker.collect()
    assert worker.call("echo", b"c") == (b"c",)
    assert worker.generation == 1


NOTING = """
ready()
seen = []
while True:
    request = read()
    seen.append(b"".join(map(bytes, request.buffers)))
    send(REPLY, request.name, request.number, *(seen if request.name == "seen" else request.buffers))
"""


def test_what_is_told_in_the_middle_of_a_call_is_done_right_after_it(made, monkeypatch):
    """A finalizer may run between the two halves of a frame, on the thread that writes it."""
    worker, pack = made(NOTING), frames.pack

    def packed(kind, name, number, buffers):
        pieces = pack(kind, name, number, buffers)
        if name == "echo":
            worker.tell("note", b"told")
            with pytest.raises(RuntimeError, match="in the middle of another call"):
                worker.call("note", b"asked")
            with pytest.raises(RuntimeError, match="in the middle of another call"):
                worker.start()
        return pieces

    monkeypatch.setattr("potluck.engines.frames.pack", packed)
    for number in range(3):
        assert worker.call("echo", bytes([number])) == (bytes([number]),)
    assert worker.call("seen", b"!") == (b"\0", b"told", b"\1", b"told", b"\2", b"told", b"!")


def test_what_is_told_at_rest_is_done_at_once_and_starts_nothing(made):
    worker = made(NOTING)
    worker.tell("note", b"no process")
    assert worker.generation == 0
    worker.start()
    worker.tell("note", b"one")
    assert worker.call("seen", b"!") == (b"one", b"!")


def test_what_is_told_while_another_thread_asks_waits_for_nobody(made):
    worker = made(NOTING)
    worker.post("echo", b"a")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(worker.tell, "note", b"told").result(20)
    assert worker.collect() == (b"a",)
    assert worker.call("seen", b"!") == (b"a", b"told", b"!")


def test_what_is_told_of_a_process_that_ended_is_not_told_to_the_next(made):
    worker = made("ready()\nread()\nos.abort()")
    worker.post("op")
    worker.tell("note", b"a key of the first")
    with pytest.raises(Abort, match="SIGABRT"):
        worker.collect()
    assert not worker._told


def test_other_threads_wait_until_what_was_posted_is_collected(made):
    worker, said = made(ECHO), []
    worker.post("echo", b"a")
    other = threading.Thread(target=lambda: said.append(worker.call("echo", b"b")))
    other.start()
    other.join(0.3)
    assert (said, other.is_alive()) == ([], True)
    assert worker.collect() == (b"a",)
    other.join(20)
    assert said == [(b"b",)]


def test_the_time_runs_from_the_post_and_a_late_answer_ends_the_worker(made):
    worker = made("ready()\nread()\ntime.sleep(600)")
    worker.post("op", deadline=0.2)
    with pytest.raises(Abort, match="no answer in time"):
        worker.collect()
    assert worker.pid is None


def test_a_worker_that_dies_after_the_post_is_a_named_abort_and_the_lock_is_free(made):
    worker = made("ready()\nread()\nos.abort()")
    worker.post("op")
    with pytest.raises(Abort, match="ended by SIGABRT"):
        worker.collect()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(aborted, worker, "op").result(20).detail == "ended by SIGABRT"


def test_a_post_that_fails_asks_nothing_and_holds_nobody_up(made, monkeypatch):
    monkeypatch.setattr("potluck.engines.frames.LARGEST", 100)
    worker = made(ECHO)
    with pytest.raises(Abort, match="too long"):
        worker.post("echo", bytes(101))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(worker.call, "echo", b"x").result(20) == (b"x",)


def test_close_drops_what_was_posted(made):
    worker = made(ECHO)
    worker.post("echo", b"a")
    worker.close()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(worker.call, "echo", b"b").result(20) == (b"b",)
    assert worker.generation == 2


def test_it_outlives_the_thread_that_started_it(made):
    worker = made(ECHO)
    thread = threading.Thread(target=worker.start)
    thread.start()
    thread.join()
    pid = worker.pid
    assert not until(lambda: gone(pid), 1)
    assert worker.call("echo", b"x") == (b"x",)
    assert worker.pid == pid


def test_close_ends_the_process_and_leaves_neither_zombies_nor_descriptors(made):
    worker = made(ECHO)
    worker.call("echo")
    worker.close()
    before, pids = len(os.listdir("/proc/self/fd")), []
    for _ in range(20):
        worker.call("echo", b"x")
        pids.append(worker.pid)
        worker.close()
    assert worker.generation == 21
    assert len(os.listdir("/proc/self/fd")) == before
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []
    worker.close()


def test_a_worker_that_nobody_holds_any_more_is_ended():
    worker = Worker("he", program=stub(ECHO))
    worker.start()
    pid = worker.pid
    del worker
    gc.collect()
    assert not os.path.exists(f"/proc/{pid}")


def test_an_interrupt_in_the_middle_ends_the_worker(made, tmp_path, monkeypatch):
    worker = made(ECHO)
    worker.start()
    pid = worker.pid

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("potluck.engines.worker._read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            worker.call("echo", b"a")
    assert gone(pid)
    assert worker.call("echo", b"b") == (b"b",)


def test_the_callers_variables_files_and_folder_do_not_reach_it(made, tmp_path, monkeypatch):
    monkeypatch.setenv("POTLUCK_TEST_TOKEN", "topsecret")
    worker = made(
        """
ready()
while True:
    request = read()
    said = [sorted(os.environ), os.getcwd(), sorted(os.listdir("/proc/self/fd")), os.readlink("/proc/self/fd/2")]
    send(REPLY, "", request.number, repr(said).encode())
"""
    )
    with (tmp_path / "rows.csv").open("w") as rows:
        os.set_inheritable(rows.fileno(), True)
        (said,) = worker.call("look")
    names = "['LC_ALL', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS']"
    assert said.decode() == f"[{names}, '/', ['0', '1', '2', '3'], '/dev/null']"  # 3 is the listing itself


def test_an_abort_shows_nothing_of_what_was_sent(made):
    worker = made("ready()\ngot = read().buffers\nprint(got, file=sys.stderr)\nraise ValueError(got)")
    abort = aborted(worker, "op", b"topsecret")
    assert abort.detail == "ended with code 1"
    assert "topsecret" not in f"{abort!r} {abort} {vars(abort)}"
    assert abort.__cause__ is None
    assert abort.__suppress_context__


def test_the_main_process_loads_nothing_heavy_for_a_worker():
    code = """
import sys
import potluck.core.rounds
before = set(sys.modules)
import potluck.engines.worker
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names) - {"potluck", "msgspec", "typing_extensions"}))
heavy = {"openfhe", "asyncio", "cryptography", "pandas", "scipy", "potluck.engines.install", "potluck.engines.openfhe"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n"


def test_it_can_be_started_beside_other_work_and_what_goes_wrong_shows_when_it_is_asked(made):
    worker = made(ECHO)
    worker.warm()
    assert worker.call("echo", b"a") == (b"a",)
    assert worker.generation == 1
    absent = Worker("he", program=["/nowhere/python"])
    absent.warm()
    with pytest.raises(Abort, match="cannot be started"):
        absent.call("echo")
