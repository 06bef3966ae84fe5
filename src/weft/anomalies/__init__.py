"""Sudden changes of traffic, found without anybody having said what to look for."""
