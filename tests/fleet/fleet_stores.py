"""An S3 store of our own on the loopback, for tests."""

from contextlib import contextmanager
from urllib.request import Request, urlopen

import fsspec


@contextmanager
def s3_store(patched, bucket: str = "films"):
    """The file system of a fresh store, which commands and libraries find by the environment."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    urlopen(Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST")).close()  # all of a process share one
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "us",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }.items():
        patched.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    system = fsspec.filesystem("s3", use_listings_cache=False)
    system.mkdir(bucket)
    try:
        yield system
    finally:
        server.stop()
        system.clear_instance_cache()
