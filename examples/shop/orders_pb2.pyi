# Generated from orders.proto; do not edit. To regenerate, see "Regenerating the messages" in README.md.
# ruff: noqa
# fmt: off
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlaceOrderRequest(_message.Message):
    __slots__ = ("customer", "product_id", "quantity", "unit_price_cents", "idempotency_key")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_CENTS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    customer: str
    product_id: int
    quantity: int
    unit_price_cents: int
    idempotency_key: str
    def __init__(self, customer: _Optional[str] = ..., product_id: _Optional[int] = ..., quantity: _Optional[int] = ..., unit_price_cents: _Optional[int] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class GetOrderRequest(_message.Message):
    __slots__ = ("order_id",)
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    def __init__(self, order_id: _Optional[str] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("order_id", "customer", "product_id", "quantity", "total_cents", "status")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATUS_UNSPECIFIED: _ClassVar[Order.Status]
        PLACED: _ClassVar[Order.Status]
        PACKED: _ClassVar[Order.Status]
        SHIPPED: _ClassVar[Order.Status]
        DELIVERED: _ClassVar[Order.Status]
    STATUS_UNSPECIFIED: Order.Status
    PLACED: Order.Status
    PACKED: Order.Status
    SHIPPED: Order.Status
    DELIVERED: Order.Status
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CENTS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    customer: str
    product_id: int
    quantity: int
    total_cents: int
    status: Order.Status
    def __init__(self, order_id: _Optional[str] = ..., customer: _Optional[str] = ..., product_id: _Optional[int] = ..., quantity: _Optional[int] = ..., total_cents: _Optional[int] = ..., status: _Optional[_Union[Order.Status, str]] = ...) -> None: ...

class WhoAmIRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WhoAmIReply(_message.Message):
    __slots__ = ("service", "version", "instance", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    service: str
    version: str
    instance: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, service: _Optional[str] = ..., version: _Optional[str] = ..., instance: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...
