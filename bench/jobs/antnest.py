"""Times a job of no-op tasks on antnest: one master, so many slaves, over its ZeroMQ transport.

    python3 antnest.py CLONE TASKS SLAVES      prints one line of JSON: {"seconds": …, "results": …}

CLONE is a checkout of github.com/mtahmed/antnest; the package pyzmq must be there. Three things are put right from
outside, without which it does not start on a current Python: `inspect.getargspec` is gone since 3.11, it asks a
public web site for its own address, and it prints a line for each message.
"""

import inspect
import json
import os
import subprocess
import sys
import tempfile
import time

JOB = """
def processor(self, data):
    return data

def split(self, input_data, processor):
    import taskunit
    for i in range(int(input_data)):
        yield taskunit.TaskUnit(data=str(i), processor=processor)

def combine(self):
    with open({done!r} + '.part', 'w') as done:
        done.write(str(sum(1 for t in self.taskunits if t.state == 'COMPLETED')))
    import os
    os.rename({done!r} + '.part', {done!r})

input_data = '{tasks}'
"""


def member(clone, role, port, master_port):
    """Becomes a master or a slave; never returns."""
    os.chdir(clone)
    sys.path.insert(0, clone)
    spec = inspect.getfullargspec
    inspect.getargspec = spec
    import socket

    socket.getfqdn = lambda *_: "localhost"
    import messenger

    messenger.ZMQMessenger.get_public_ip = staticmethod(lambda: "127.0.0.1")
    sys.stdout = open(os.devnull, "w")
    if role == "master":
        import master

        master.Master(port).worker()
    elif role == "slave":
        socket.gethostname = lambda: f"bench-{port}"
        import slave

        slave.Slave(port).worker()
    else:
        sys.path.insert(0, os.path.join(clone, "commands"))
        import create_job

        create_job.enqueue_job(True, f"jobs/{role}.py", "127.0.0.1", master_port)


def main(clone, tasks, slaves):
    master_port = 33310
    top = tempfile.mkdtemp(prefix="antnest-")

    def copy(name):
        subprocess.check_call(["cp", "-r", clone, os.path.join(top, name)])
        return os.path.join(top, name)

    work = copy("master")
    done = os.path.join(work, "done")
    with open(os.path.join(work, "jobs", "bench.py"), "w") as job:
        job.write(JOB.format(done=done, tasks=tasks))
    processes = []

    def start(role, port, directory):
        member = [os.path.abspath(__file__), "--member", directory, role, str(port), str(master_port)]
        processes.append(subprocess.Popen([sys.executable, *member], stderr=subprocess.DEVNULL))

    try:
        start("master", master_port, work)
        time.sleep(1)
        for i in range(slaves):
            port = master_port + 1 + i
            config = {"masters": [{"ip": "127.0.0.1", "hostname": "master", "port": master_port}]}
            directory = copy(f"slave-{port}")
            with open(os.path.join(directory, "config", f"bench-{port}-slave-config.json"), "w") as file:
                json.dump(config, file)
            start("slave", port, directory)
            time.sleep(1)
        began = time.monotonic()
        start("bench", 0, work)
        limit = began + 120
        while not os.path.exists(done):
            if time.monotonic() > limit:
                raise SystemExit("antnest did not finish within 120 s")
            time.sleep(0.01)
        seconds = time.monotonic() - began
        with open(done) as file:
            print(json.dumps({"seconds": round(seconds, 3), "results": int(file.read())}))
    finally:
        for process in processes:
            process.kill()
            process.wait()
        subprocess.call(["rm", "-rf", top])


if __name__ == "__main__":
    if sys.argv[1] == "--member":
        member(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main(os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
