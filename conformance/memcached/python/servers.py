"""What python-binary-memcached's tests want of a configuration of pytest that its sources on PyPI leave out."""

import os

import pytest


@pytest.fixture
def memcached_sasl():
    return int(os.environ["SASL_PORT"]), "user", "password"
