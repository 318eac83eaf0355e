"""Hostile messages over every RPC of a real mesh, beside a conversation that behaves well."""
