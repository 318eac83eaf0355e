"""What other distributions can add to this room: the names of the entry-point groups.

Each entry is an :class:`~voicemesh.registry.EngineSpec`, but for the phrases.
"""

ENGINES = "voicemesh.asr_engines"
"""Recognisers; see :mod:`voicemesh_asr.engines.engine`."""

VADS = "voicemesh.vads"
"""Voice activity detectors; see :mod:`voicemesh_asr.vad.vad`."""

TURN_MODELS = "voicemesh.turn_models"
"""Audio turn models; see :mod:`voicemesh_asr.turn_detection.turn_model`."""

PUNCTUATION_MODELS = "voicemesh.punctuation_models"
"""Punctuation models; see :mod:`voicemesh_asr.turn_detection.punctuation_model`."""

TURN_LANGUAGE_MODELS = "voicemesh.turn_language_models"
"""Language models; see :mod:`voicemesh_asr.turn_detection.turn_language_model`. A factory
may take seconds."""

PHRASES = "voicemesh.phrases"
"""Functions that take the mesh's settings and a language, and yield what people are likely
to say to the room that announces them."""
