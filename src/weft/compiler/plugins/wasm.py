"""WebAssembly (Envoy: ``wasm.v3.PluginConfig``), in its own virtual machine for each plugin."""

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from weft._pb.envoy.config.core.v3.base_pb2 import AsyncDataSource, DataSource
from weft._pb.envoy.extensions.filters.http.wasm.v3.wasm_pb2 import Wasm as HttpWasm
from weft._pb.envoy.extensions.filters.network.wasm.v3.wasm_pb2 import Wasm as NetworkWasm
from weft._pb.envoy.extensions.wasm.v3.wasm_pb2 import EnvironmentVariables, PluginConfig, VmConfig
from weft.compiler.wire import packed
from weft.model.plugin import Wasm

_RUNTIME = "envoy.wasm.runtime.v8"


def wasm(name: str, work: Wasm) -> Message:
    """The filter's configuration."""
    machine = VmConfig(
        vm_id=name,
        runtime=_RUNTIME,
        code=AsyncDataSource(local=DataSource(filename=work.path)),
        environment_variables=EnvironmentVariables(
            host_env_keys=work.host_environment, key_values=dict(work.environment)
        ),
    )
    config = PluginConfig(name=name, root_id=work.root, vm_config=machine, failure_policy=work.failure.value)
    if work.configuration:
        config.configuration.CopyFrom(packed(StringValue(value=work.configuration)))
    return NetworkWasm(config=config) if work.network else HttpWasm(config=config)
