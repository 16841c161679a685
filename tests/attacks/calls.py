"""Attacks that need one call: `f(t)` runs in a worker and returns something true when it got what it wanted.

`t` holds what the arena has laid out: `secret` (a file with a canary), `victim` (a file outside the scratch folder), `package` (the grader's
folder), `sitting` (a process of the grader's user, with the canary in its command line and environment), `port` (a listener on loopback),
`abstract` (the name of an abstract socket), `other` (another submission's scratch folder).
"""

from __future__ import annotations

HEAD = """
import ctypes, errno, glob, os, re, signal, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
CANARY = re.compile("canary-[0-9a-f]" + "{16}")

def call(number, *arguments):
    return libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])

def look(*paths):
    found = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                found += CANARY.findall(file.read(10**6).decode("latin-1"))
        except OSError:
            pass
    return found

def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid
"""

CALLS: dict[str, list[tuple[str, str, str]]] = {
    "hidden checks or solutions on disk": [
        ("read the rubric", "AB", "def f(t): return [p for p in glob.glob(t['package'] + '/rubric/*.py') if open(p).read()]"),
        ("read the solutions", "AB", "def f(t): return open(os.path.dirname(t['package']) + '/solutions/data.py').read()[:9]"),
        ("read a file beside the submission", "AB", "def f(t): return look(t['secret'])"),
        ("read another submission", "AB", "def f(t): return os.listdir(t['other'])"),
        ("find a secret's file by stat", "A", "def f(t): return os.path.exists(t['secret'])"),
        ("open by handle", "ABC", "def f(t): return call(304, -100, ctypes.create_string_buffer(128), 0) >= 0"),
    ],
    "sys.modules": [
        (
            "find the grader's own modules",
            "ABC",
            "def f(t): return [n for n in sys.modules if n.startswith(('grader.rubric', 'grader.checks', 'grader.host', 'solutions'))]",
        ),
        ("import the rubric", "AB", "def f(t):\n    import grader.rubric.test_data as m\n    return m.__name__"),
    ],
    "frames": [
        (
            "look for the secret in every frame",
            "ABC",
            "def f(t):\n    found = []\n    for frame in sys._current_frames().values():\n        while frame:\n"
            "            found += CANARY.findall(str({k: v for k, v in frame.f_locals.items() if k != 't'}))\n            frame = frame.f_back\n"
            "    return found",
        )
    ],
    "gc over inherited memory": [
        (
            "look for the secret in every object",
            "ABC",
            "def f(t):\n    import gc\n    return [m for o in gc.get_objects() if isinstance(o, (dict, list)) and o is not t for m in "
            "CANARY.findall(str([v for v in (o.values() if isinstance(o, dict) else o) if isinstance(v, (str, bytes))]))]",
        ),
        (
            "look for the secret in the process's memory",
            "ABC",
            "def f(t):\n    found = []\n    memory = open('/proc/self/mem', 'rb', 0)\n    for line in open('/proc/self/maps'):\n"
            "        a, b = (int(x, 16) for x in line.split()[0].split('-'))\n        if 'rw' not in line or b - a > 2**26: continue\n"
            "        try:\n            memory.seek(a); found += re.findall(rb'lab-secret-of-the-course-\\d+', memory.read(b - a))\n"
            "        except (OSError, ValueError): pass\n    return found",
        ),
    ],
    "environment": [("read the environment", "ABC", "def f(t): return CANARY.findall(str(os.environ)) + look('/proc/self/environ')")],
    "argv": [
        ("read every command line", "AB", "def f(t): return look(*glob.glob('/proc/[0-9]*/cmdline'))"),
        ("read its own command line", "ABC", "def f(t): return look('/proc/self/cmdline') + CANARY.findall(str(sys.argv))"),
    ],
    "/proc of the parent": [
        ("read every environment", "AB", "def f(t): return look(*glob.glob('/proc/[0-9]*/environ'))"),
        ("read the grader's memory map", "AB", "def f(t): return open('/proc/%d/maps' % t['sitting']).read(10)"),
        ("open the grader's descriptors", "AB", "def f(t): return os.listdir('/proc/%d/fd' % t['sitting'])"),
        ("write the zygote's memory", "AB", "def f(t): return bool(open('/proc/%d/mem' % os.getppid(), 'r+b', 0))"),
        ("leave through /proc/self/root", "AB", "def f(t): return look('/proc/self/root' + t['secret'])"),
    ],
    "inherited descriptors": [
        (
            "find descriptors that were left open",
            "ABC",
            "def f(t):\n    found = []\n    for n in range(4, 256):\n        try: os.fstat(n); found.append(n)\n"
            "        except OSError: pass\n    return [n for n in found if os.path.exists('/proc/self/fd') and "
            "not os.readlink('/proc/self/fd/%d' % n).startswith(('/proc', '/dev/null'))]",
        )
    ],
    "ptrace": [
        ("attach to the zygote", "AB", "def f(t): return libc.ptrace(16, os.getppid(), 0, 0) == 0"),
        ("attach to a process of the grader's user", "AB", "def f(t): return libc.ptrace(0x4206, t['sitting'], 0, 0) == 0"),
        (
            "process_vm_readv",
            "AB",
            "def f(t):\n    b = ctypes.create_string_buffer(8); io = (ctypes.c_void_p * 2)(ctypes.addressof(b), 8)\n"
            "    return call(310, t['sitting'], io, 1, io, 1, 0) >= 0 or ctypes.get_errno() == errno.EFAULT",
        ),
    ],
    "overwrite or chmod of results": [
        ("write a file outside", "AB", "def f(t): return open(t['victim'], 'a').write('changed')"),
        ("cut a file outside short", "AB", "def f(t): os.truncate(t['victim'], 0); return True"),
        ("cut it short while opening", "AB", "def f(t): return os.open(t['victim'], os.O_RDONLY | os.O_TRUNC) > 0"),
        ("chmod a file outside", "AB", "def f(t): os.chmod(t['victim'], 0o777); return os.stat(t['victim']).st_mode & 0o777 == 0o777"),
        ("delete a file outside", "AB", "def f(t): os.unlink(t['victim']); return True"),
        ("rename a file over one outside", "AB", "def f(t): open('x', 'w').close(); os.rename('x', t['victim']); return True"),
        ("make a file beside one outside", "AB", "def f(t): open(t['victim'] + '.new', 'w').close(); return True"),
        ("change its own submission", "AB", "def f(t): open(__file__, 'a').write('#'); return True"),
        ("write into another submission's scratch folder", "AB", "def f(t): open(t['other'] + '/x', 'w').close(); return True"),
        ("write the installed packages", "AB", "def f(t):\n    import numpy\n    open(numpy.__file__, 'a').close(); return True"),
        ("write the worker's own code", "AB", "def f(t): open(t['package'] + '/worker/serve.py', 'a').close(); return True"),
        ("a symbolic link out of the scratch folder", "AB", "def f(t): os.symlink(t['secret'], 'link'); return True"),
        ("a hard link out of the scratch folder", "AB", "def f(t): os.link(t['secret'], 'link'); return True"),
        ("a pipe in the scratch folder, for the grader to wait at", "AB", "def f(t): os.mkfifo('pipe'); return True"),
    ],
    "kill": [
        ("kill a process of the grader's user", "AB", "def f(t): os.kill(t['sitting'], 9); return True"),
        ("kill the zygote", "AB", "def f(t): os.kill(os.getppid(), 9); return True"),
        ("tgkill", "AB", "def f(t): return call(234, t['sitting'], t['sitting'], 9) == 0"),
        ("a signal through a pidfd", "AB", "def f(t): return call(424, call(434, t['sitting'], 0), 9, None, 0) == 0"),
        (
            "a signal through F_SETOWN",
            "AB",
            "def f(t):\n    import fcntl\n    r, w = os.pipe()\n    fcntl.fcntl(r, 8, t['sitting']); return True",
        ),
        ("limit another process (prlimit)", "AB", "def f(t): return call(302, t['sitting'], 7, struct.pack('QQ', 9, 9), None) == 0"),
    ],
    "kill of a process group": [("killpg", "AB", "def f(t): os.killpg(t['sitting'], 9); return True")],
    "daemons left behind": [
        ("fork", "AB", "def f(t): return child(lambda: time.sleep(9))"),
        ("fork into a session of its own", "AB", "def f(t): return child(lambda: (os.setsid(), time.sleep(9)))"),
        ("exec", "AB", "def f(t):\n    import subprocess\n    return subprocess.run(['/bin/true']).returncode == 0"),
        ("posix_spawn", "AB", "def f(t): return os.posix_spawn('/bin/true', ['true'], {})"),
        ("vfork by number", "AB", "def f(t): return os.system('true') == 0"),
        (
            "clone3 by number",
            "AB",
            "def f(t):\n    a = ctypes.create_string_buffer(88)\n    r = call(435, a, 88)\n    if r == 0: os._exit(0)\n    return r > 0",
        ),
    ],
    "fork bomb": [("fork again and again", "AB", "def f(t): return [child(lambda: time.sleep(9)) for _ in range(20)]")],
    "memory bomb over several processes": [
        ("a child for each part of the memory", "AB", "def f(t): return [child(lambda: bytearray(10**8)) for _ in range(3)]"),
        ("all in one process", "ABC", "def f(t): return len(bytearray(64 * 2**30))"),
        ("shared memory without a name", "AB", "def f(t): return os.memfd_create('x') and True"),
        ("System V shared memory", "AB", "def f(t): return call(29, 0, 2**20, 0o1600) >= 0"),
        ("files in /dev/shm", "AB", "def f(t): open('/dev/shm/lab-attack', 'w').close(); os.unlink('/dev/shm/lab-attack'); return True"),
    ],
    "CPU burn in children": [("burn in a child", "AB", "def f(t): return child(lambda: sum(range(10**6)))")],
    "network": [
        ("connect to loopback", "AB", "def f(t): socket.create_connection(('127.0.0.1', t['port']), 2).send(b'x'); return True"),
        ("listen", "AB", "def f(t): s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); return True"),
        ("send a datagram", "AB", "def f(t): return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))"),
        ("a raw netlink socket", "AB", "def f(t): return bool(socket.socket(16, socket.SOCK_RAW, 0))"),
    ],
    "abstract sockets": [
        (
            "connect to one",
            "AB",
            "def f(t): s = socket.socket(socket.AF_UNIX); s.connect('\\0' + t['abstract']); s.send(b'x'); return True",
        ),
        ("a pair of sockets", "AB", "def f(t): return bool(socket.socketpair())"),
    ],
    "io_uring": [("set one up", "AB", "def f(t): return call(425, 4, ctypes.create_string_buffer(120)) >= 0")],
    "bpf": [
        ("make a map", "AB", "def f(t): return call(321, 0, struct.pack('IIII', 2, 4, 4, 1) + bytes(56), 72) >= 0"),
        ("perf_event_open", "AB", "def f(t): return call(298, struct.pack('II', 1, 112) + bytes(104), 0, -1, -1, 0) >= 0"),
        ("userfaultfd", "AB", "def f(t): return call(323, 0) >= 0"),
    ],
    "keyrings": [("add a key", "AB", "def f(t): return call(248, b'user', b'lab-attack', b'x', 1, -3) >= 0")],
    "user namespaces": [
        ("unshare", "AB", "def f(t): return libc.unshare(0x10000000) == 0"),
        ("setns", "AB", "def f(t): return libc.setns(os.open('/proc/self/ns/net', 0), 0) == 0"),
        ("mount", "AB", "def f(t): return libc.mount(b'x', t['other'].encode(), b'tmpfs', 0, None) == 0"),
        ("become root", "AB", "def f(t): os.setresuid(0, 0, 0); return os.fork() >= 0"),
        ("chroot", "AB", "def f(t): os.chroot('.'); return True"),
    ],
    "32-bit system calls": [
        (
            "getpid through int 0x80",
            "AB",
            "def f(t):\n    import mmap\n    m = mmap.mmap(-1, 4096, prot=7); m.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"
            "    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))() > 0",
        ),
        ("getpid of the x32 kind", "AB", "def f(t): return call(0x40000000 + 39) > 0"),
    ],
    "residue of an earlier run": [
        (
            "leave a note for the next worker",
            "AB",
            "PLACES = ('/tmp/lab-note', '/var/tmp/lab-note', '/dev/shm/lab-note', '/home/lab-note', '/lab-note')\n"
            "def f(t):\n    found = [p for p in PLACES if os.path.exists(p)]\n    for p in PLACES:\n"
            "        try: open(p, 'w').close()\n        except OSError: pass\n    return found",
        ),
    ],
}
"""By class: what is tried, the tiers that stop it, and the source. An attack on which tier C makes no promise has "AB"; one that only a file
system of its own stops has "A". Where a tier makes no promise an attack is not run: nothing would keep it from this machine."""
