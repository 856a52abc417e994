"""terminal.py COMMAND...: runs it on a terminal of 30 by 100, waits for the word "ready", makes the
terminal 40 by 120, waits for "40 120", types a line, waits for it, types ^C, and ends with its
status. Prints all that it said."""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios

LIMIT = 100


def size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


pid, fd = pty.fork()
if pid == 0:
    size(0, 30, 100)
    os.execvp(sys.argv[1], sys.argv[1:])
said = b""


def too_late(*_):
    print(said.decode(errors="replace"))
    print("terminal.py: nothing more came")
    sys.exit(1)


signal.signal(signal.SIGALRM, too_late)
signal.alarm(LIMIT)


def wait_for(word):
    global said
    while word not in said:
        select.select([fd], [], [])
        try:
            more = os.read(fd, 4096)
        except OSError:
            more = b""
        if not more:
            break
        said += more


wait_for(b"ready")
size(fd, 40, 120)
os.kill(pid, signal.SIGWINCH)
wait_for(b"40 120")
os.write(fd, b"typed\n")
wait_for(b"read typed")
os.write(fd, b"\x03")
wait_for(b"never said")
print(said.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
