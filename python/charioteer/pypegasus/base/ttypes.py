"""Keys and values, error numbers, and addresses, as the original Python client names them.

They are plain values here: nothing of them is sent, so they neither read nor write themselves.
"""

from __future__ import annotations

import socket
import struct
from enum import Enum
from typing import Any

__all__ = [
    "blob",
    "error_code",
    "error_types",
    "gpid",
    "host_port",
    "host_port_types",
    "rocksdb_error_types",
    "rpc_address",
    "task_code",
]


class _Value:
    """Equal where the class and all the fields are."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.__dict__ == other.__dict__

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"


class blob(_Value):
    """Bytes, made of bytes or of text."""

    def __init__(self, data: bytes | str | None = None) -> None:
        self._is_str = isinstance(data, str)
        self.data: Any = data.encode() if isinstance(data, str) else data

    def raw(self) -> Any:
        """What it was made of."""
        return self.data.decode() if self._is_str else self.data

    def __len__(self) -> int:
        return len(self.data)

    def __hash__(self) -> int:
        return hash(bytes(self.data or b""))


class rocksdb_error_types(Enum):
    """What a server's store says; writes hand these numbers out as they are."""

    kOk = 0
    kNotFound = 1
    kCorruption = 2
    kNotSupported = 3
    kInvalidArgument = 4
    kIOError = 5
    kMergeInProgress = 6
    kIncomplete = 7
    kShutdownInProgress = 8
    kTimedOut = 9
    kAborted = 10
    kBusy = 11
    kExpired = 12
    kTryAgain = 13
    kNoNeedOperate = 101


class error_types(Enum):
    """The errors of Pegasus, by number; the last two are the clients' own."""

    ERR_OK = 0
    ERR_UNKNOWN = 1
    ERR_SERVICE_NOT_FOUND = 2
    ERR_SERVICE_ALREADY_RUNNING = 3
    ERR_IO_PENDING = 4
    ERR_TIMEOUT = 5
    ERR_SERVICE_NOT_ACTIVE = 6
    ERR_BUSY = 7
    ERR_NETWORK_INIT_FAILED = 8
    ERR_FORWARD_TO_OTHERS = 9
    ERR_OBJECT_NOT_FOUND = 10
    ERR_HANDLER_NOT_FOUND = 11
    ERR_LEARN_FILE_FAILED = 12
    ERR_GET_LEARN_STATE_FAILED = 13
    ERR_INVALID_VERSION = 14
    ERR_INVALID_PARAMETERS = 15
    ERR_CAPACITY_EXCEEDED = 16
    ERR_INVALID_STATE = 17
    ERR_INACTIVE_STATE = 18
    ERR_NOT_ENOUGH_MEMBER = 19
    ERR_FILE_OPERATION_FAILED = 20
    ERR_HANDLE_EOF = 21
    ERR_WRONG_CHECKSUM = 22
    ERR_INVALID_DATA = 23
    ERR_INVALID_HANDLE = 24
    ERR_INCOMPLETE_DATA = 25
    ERR_VERSION_OUTDATED = 26
    ERR_PATH_NOT_FOUND = 27
    ERR_PATH_ALREADY_EXIST = 28
    ERR_ADDRESS_ALREADY_USED = 29
    ERR_STATE_FREEZED = 30
    ERR_LOCAL_APP_FAILURE = 31
    ERR_BIND_IOCP_FAILED = 32
    ERR_NETWORK_START_FAILED = 33
    ERR_NOT_IMPLEMENTED = 34
    ERR_CHECKPOINT_FAILED = 35
    ERR_WRONG_TIMING = 36
    ERR_NO_NEED_OPERATE = 37
    ERR_CORRUPTION = 38
    ERR_TRY_AGAIN = 39
    ERR_CLUSTER_NOT_FOUND = 40
    ERR_CLUSTER_ALREADY_EXIST = 41
    ERR_SERVICE_ALREADY_EXIST = 42
    ERR_INJECTED = 43
    ERR_REPLICATION_FAILURE = 44
    ERR_APP_EXIST = 45
    ERR_APP_NOT_EXIST = 46
    ERR_BUSY_CREATING = 47
    ERR_BUSY_DROPPING = 48
    ERR_NETWORK_FAILURE = 49
    ERR_UNDER_RECOVERY = 50
    ERR_LEARNER_NOT_FOUND = 51
    ERR_OPERATION_DISABLED = 52
    ERR_EXPIRED = 53
    ERR_LOCK_ALREADY_EXIST = 54
    ERR_HOLD_BY_OTHERS = 55
    ERR_RECURSIVE_LOCK = 56
    ERR_NO_OWNER = 57
    ERR_NODE_ALREADY_EXIST = 58
    ERR_INCONSISTENT_STATE = 59
    ERR_ARRAY_INDEX_OUT_OF_RANGE = 60
    ERR_DIR_NOT_EMPTY = 61
    ERR_FS_INTERNAL = 62
    ERR_IGNORE_BAD_DATA = 63
    ERR_APP_DROPPED = 64
    ERR_MOCK_INTERNAL = 65
    ERR_ZOOKEEPER_OPERATION = 66
    ERR_CHILD_REGISTERED = 67
    ERR_INGESTION_FAILED = 68
    ERR_UNAUTHENTICATED = 69
    ERR_KRB5_INTERNAL = 70
    ERR_SASL_INTERNAL = 71
    ERR_SASL_INCOMPLETE = 72
    ERR_ACL_DENY = 73
    ERR_SPLITTING = 74
    ERR_PARENT_PARTITION_MISUSED = 75
    ERR_CHILD_NOT_READY = 76
    ERR_DISK_INSUFFICIENT = 77
    ERR_SESSION_RESET = 78
    ERR_THREAD_INTERRUPTED = 79


class error_code(_Value):
    """An error by its name."""

    def __init__(self) -> None:
        self.errno = error_types.ERR_UNKNOWN

    @staticmethod
    def value_of(error_name: str) -> error_types:
        """The error of this name, such as ``ERR_BUSY``."""
        return error_types[error_name]

    def __hash__(self) -> int:
        return hash(self.errno)


class task_code(_Value):
    """The kind of a task; it has no fields."""

    def __hash__(self) -> int:
        return hash(type(self))


class rpc_address(_Value):
    """An IPv4 address and a port in one number."""

    def __init__(self) -> None:
        self.address = 0

    def is_valid(self) -> bool:
        """Whether it holds an address."""
        return self.address != 0

    def from_string(self, ip_port: str) -> bool:
        """Takes ``1.2.3.4:34601``."""
        ip, port = ip_port.split(":")
        (number,) = struct.unpack(">I", socket.inet_aton(ip))
        # The lowest bits say what sort of address it is: 1 is one of IPv4.
        self.address = (number << 32) + (int(port) << 16) + 1
        return True

    def to_ip_port(self) -> tuple[str, int]:
        """The address and the port."""
        ip = socket.inet_ntoa(struct.pack(">I", self.address >> 32))
        return ip, (self.address >> 16) & 0xFFFF

    def __hash__(self) -> int:
        return self.address ^ (self.address >> 32)


class host_port_types(Enum):
    """What sort of name a `host_port` holds."""

    kHostTypeInvalid = 0
    kHostTypeIpv4 = 1
    kHostTypeGroup = 2


class host_port(_Value):
    """A host name and a port."""

    def __init__(self) -> None:
        self.host = ""
        self.port = 0
        self.type = host_port_types.kHostTypeInvalid

    def is_valid(self) -> bool:
        """Whether it holds a name."""
        return self.type != host_port_types.kHostTypeInvalid

    def from_string(self, host_port_str: str) -> bool:
        """Takes ``host:34601``, and says whether it was one."""
        parts = host_port_str.split(":")
        if len(parts) != 2:
            return False
        self.host, self.port, self.type = parts[0], int(parts[1]), host_port_types.kHostTypeIpv4
        return True

    def to_host_port(self) -> tuple[str | None, int | None]:
        """The name and the port."""
        return (self.host, self.port) if self.is_valid() else (None, None)

    def __hash__(self) -> int:
        return hash((self.host, self.port, self.type))


class gpid(_Value):
    """A table's number and a partition's index in one number."""

    def __init__(self, app_id: int = 0, pidx: int = 0) -> None:
        self.value = (pidx << 32) + app_id

    def get_app_id(self) -> int:
        """The table's number."""
        return self.value & 0xFFFFFFFF

    def get_pidx(self) -> int:
        """The partition's index."""
        return self.value >> 32

    def __hash__(self) -> int:
        return self.value >> 32 ^ self.value & 0xFFFFFFFF
