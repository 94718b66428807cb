"""The listening socket: what accepted connections inherit from it."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from governance.api.server import AddressInUse, network_socket


def test_a_reply_in_two_parts_does_not_wait_for_an_acknowledgement() -> None:
    with (
        closing(network_socket("127.0.0.1", 0)) as listening,
        closing(socket.create_connection(listening.getsockname())),
        closing(listening.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_refused_with_what_to_do() -> None:
    with closing(network_socket("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(AddressInUse) as refused:
            network_socket("127.0.0.1", port)
    assert "--port" in refused.value.next_step
