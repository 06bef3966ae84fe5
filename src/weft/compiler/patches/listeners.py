"""Patches of listeners, of their filter chains and of the filters in these."""

from collections.abc import Iterator

from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain, ListenerFilter
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from weft.compiler.patches.http_filters import HTTP_MANAGER, patch_manager
from weft.compiler.patches.matches import anchored_filter, chain_matches, filter_matches, listener_matches, match_of
from weft.compiler.patches.merging import merge, merge_any, merge_secured
from weft.compiler.patches.routes import ROUTE_TARGETS
from weft.compiler.patches.work import Work, changed
from weft.compiler.wire import packed
from weft.model.extension import Patch, PatchOperation, PatchTarget

__all__ = ["HttpFilter", "patch_listener"]

_MERGES = (PatchOperation.MERGE, PatchOperation.MERGE_AND_REPLACE_LIST)


def patch_listener(listener: Listener, work: Work) -> bool:
    """Make every patch of a listener and of what is in it; false if it is removed."""
    for patch in _of(work, PatchTarget.LISTENER, listener):
        if patch.operation is PatchOperation.REMOVE:
            return False
        if patch.operation in _MERGES:
            value, replace = work.value(patch, Listener), _replaces(patch)
            work.attempt(patch, lambda value=value, replace=replace: merge(listener, value, replace_lists=replace))  # type: ignore[misc]
    for patch in _of(work, PatchTarget.LISTENER_FILTER, listener):
        _patch_listener_filters(listener, patch, work)
    _patch_chains(listener, work)
    return True


def _of(work: Work, target: PatchTarget, listener: Listener) -> Iterator[Patch]:
    return (one for one in work.of(target) if listener_matches(one, listener, work.place))


def _patch_listener_filters(listener: Listener, patch: Patch, work: Work) -> None:
    wanted = match_of(patch).listener_filter
    named = (lambda one: one.name == wanted) if wanted else None
    if patch.operation in _MERGES:
        for one in listener.listener_filters:
            if named is None or named(one):
                _merge_filter(one, work.value(patch, ListenerFilter), patch, work)
        return
    filters = changed(list(listener.listener_filters), patch, lambda: work.value(patch, ListenerFilter), named)
    del listener.listener_filters[:]
    listener.listener_filters.extend(filters)


def _patch_chains(listener: Listener, work: Work) -> None:
    kept = [chain for chain in listener.filter_chains if not chain.filters or _patch_chain(listener, chain, work)]
    if listener.default_filter_chain.filters and not _patch_chain(listener, listener.default_filter_chain, work):
        listener.ClearField("default_filter_chain")
    new = (one for one in _of(work, PatchTarget.FILTER_CHAIN, listener) if one.operation is PatchOperation.ADD)
    kept += [work.value(one, FilterChain) for one in new]
    del listener.filter_chains[:]
    listener.filter_chains.extend(kept)


def _patch_chain(listener: Listener, chain: FilterChain, work: Work) -> bool:
    """False if the chain is removed."""
    for patch in _of(work, PatchTarget.FILTER_CHAIN, listener):
        if patch.operation is PatchOperation.ADD or not chain_matches(patch, chain, work.place):
            continue
        if patch.operation is PatchOperation.REMOVE:
            return False
        if patch.operation in _MERGES:
            value, replace = work.value(patch, FilterChain), _replaces(patch)
            work.attempt(patch, lambda value=value, replace=replace: merge_secured(chain, value, replace_lists=replace))  # type: ignore[misc]
    _patch_filters(listener, chain, work)
    return True


def _patch_filters(listener: Listener, chain: FilterChain, work: Work) -> None:
    filters = list(chain.filters)
    here = [one for one in _of(work, PatchTarget.NETWORK_FILTER, listener) if chain_matches(one, chain, work.place)]
    for patch in here:
        if patch.operation not in _MERGES:
            filters = changed(filters, patch, lambda patch=patch: work.value(patch, Filter), anchored_filter(patch))  # type: ignore[misc]
    for one in filters:
        for patch in here:
            if patch.operation in _MERGES and filter_matches(patch, one):
                _merge_filter(one, work.value(patch, Filter), patch, work)
    in_manager = [one for one in _of(work, PatchTarget.HTTP_FILTER, listener) if chain_matches(one, chain, work.place)]
    for one in filters:
        if one.name == HTTP_MANAGER:
            _patch_manager(one, [patch for patch in in_manager if filter_matches(patch, one)], work)
    del chain.filters[:]
    chain.filters.extend(filters)


def _patch_manager(holder: Filter, patches: list[Patch], work: Work) -> None:
    """Only what a patch concerns is opened."""
    routes = [one for target in ROUTE_TARGETS for one in work.of(target)]
    manager = HttpConnectionManager()
    if not (patches or routes) or not holder.typed_config.Unpack(manager):
        return
    patch_manager(manager, patches, work)
    holder.typed_config.CopyFrom(packed(manager))


def _merge_filter(into: Filter | ListenerFilter, value: Filter | ListenerFilter, patch: Patch, work: Work) -> None:
    """A filter keeps its name, as in Istio; its configuration is merged by its type."""
    if value.HasField("typed_config"):
        replace = _replaces(patch)
        work.attempt(patch, lambda: merge_any(into.typed_config, value.typed_config, replace_lists=replace))


def _replaces(patch: Patch) -> bool:
    return patch.operation is PatchOperation.MERGE_AND_REPLACE_LIST
