"""Clients that speak TLS, with certificates of the test's own. Pegasus has none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import charioteer
from charioteer import memcached, tikv
from charioteer.testing import TestServer


class Files:
    """A server's certificates as files, as clients are told of them."""

    def __init__(self, folder: Path, server: TestServer) -> None:
        certificates = server.certificates
        assert certificates is not None
        self._folder = folder
        self.authority = self._write("authority", certificates.authority)
        self.client = self._write("client", certificates.client_certificate)
        self.key = self._write("key", certificates.client_key)

    def _write(self, name: str, pem: str) -> str:
        path = self._folder / f"{name}.pem"
        path.write_text(pem)
        return str(path)


@pytest.fixture(scope="module")
def secured() -> Any:
    with TestServer(memcached_tls=True, tikv_tls=True) as server:
        yield server


@pytest.fixture
def files(secured: TestServer, tmp_path: Path) -> Files:
    return Files(tmp_path, secured)


def memcached_url(server: TestServer) -> str:
    assert server.memcached_tls_url is not None
    return server.memcached_tls_url


@pytest.mark.parametrize("protocol", ["binary", "meta", "text"])
def test_items_are_kept_over_tls(secured: TestServer, files: Files, protocol: Any) -> None:
    with memcached.Client(memcached_url(secured), ca=files.authority, protocol=protocol) as client:
        client.set(b"city", b"Paris")
        assert client.get_many([b"city", b"none"]) == [b"Paris", None]


def test_clients_of_asyncio_speak_tls_too(secured: TestServer, files: Files) -> None:
    async def main() -> None:
        async with memcached.AsyncClient(memcached_url(secured), ca=files.authority) as client:
            await client.set(b"async", b"Rome")
            assert await client.get(b"async") == b"Rome"
        async with tikv.AsyncRawClient(secured.tikv_url, ca=files.authority) as raw:
            await raw.put(b"async", b"Rome")
            assert await raw.get(b"async") == b"Rome"

    asyncio.run(main())


def test_keys_are_kept_over_tls(secured: TestServer, files: Files) -> None:
    with tikv.RawClient(secured.tikv_url, ca=files.authority) as client:
        client.put(b"city", b"Paris")
        assert client.get(b"city") == b"Paris"
    with tikv.TxnClient(secured.tikv_url, ca=files.authority) as client:
        with client.begin() as txn:
            txn.put(b"txn", b"1")
        assert client.snapshot().get(b"txn") == b"1"


def test_a_client_shows_its_own_certificate_where_it_has_one(secured: TestServer, files: Files) -> None:
    own: tikv.ClientOptions = {"ca": files.authority, "cert": files.client, "key": files.key, "server_name": "localhost"}
    with tikv.RawClient(secured.tikv_url, **own) as raw:
        raw.put(b"mutual", b"1")
        assert raw.get(b"mutual") == b"1"
    with memcached.Client(memcached_url(secured), ca=files.authority, cert=files.client, key=files.key) as client:
        client.set(b"mutual", b"1")
        assert client.get(b"mutual") == b"1"


def test_servers_that_are_not_trusted_are_not_spoken_to(secured: TestServer, tmp_path: Path) -> None:
    with TestServer(memcached_tls=True) as other:
        foreign = Files(tmp_path, other).authority
    with memcached.Client(memcached_url(secured), ca=foreign, operation_timeout=2) as client:
        with pytest.raises(charioteer.Error) as refused:
            client.get(b"city")
        assert refused.value.kind == "denied"
        assert refused.value.outcome == "not_applied"
    with tikv.RawClient(secured.tikv_url, ca=foreign, operation_timeout=2) as raw:
        with pytest.raises(charioteer.Error) as refused:
            raw.put(b"city", b"Paris")
        assert refused.value.kind == "denied"


def test_a_name_that_is_not_the_certificates_is_refused(secured: TestServer, files: Files) -> None:
    with memcached.Client(
        memcached_url(secured), ca=files.authority, server_name="elsewhere", operation_timeout=2
    ) as client:
        with pytest.raises(charioteer.Error) as refused:
            client.get(b"city")
        assert refused.value.kind == "denied"


def test_certificates_that_are_none_are_refused_at_once(secured: TestServer, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    for ca in (str(tmp_path / "missing.pem"), str(tmp_path / "none.pem")):
        with pytest.raises(charioteer.Error):
            memcached.Client(memcached_url(secured), ca=ca)
        with pytest.raises(charioteer.Error):
            tikv.RawClient(secured.tikv_url, ca=ca)
