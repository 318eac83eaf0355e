"""Recognisers, each behind the protocol of :mod:`voicemesh_asr.engines.engine`."""
