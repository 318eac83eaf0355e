"""The owner of a chip: the only process that opens it.

Started as a folder (``PYTHON path/to/chip_owner --socket ...``) it needs Python 3.8 or
newer, numpy and the vendor's ``sophon.sail``, so that it runs on a board's own Python.
Nothing in here imports anything else of voicemesh.

    wire             frames on the socket, bulk in shared memory
    command_line     arguments, signals, the life of the process
    server           the socket, the clients, the news for watchers
    session          one client: its requests in order
    shared_chip      the chip, and what the sessions share of it
    steps            what a request asks for
    step_reader      reads and checks it as a whole
    step_runner      does it, step by step, each in its turn
    programs         steps that are checked once and started many times
    program_reader   reads and checks them
    launching        launches with all that they need at hand
    client_resources what a client has on the chip, and its quotas
    place_tensors    sail's tensors for it, and what is done with them
    chip_contents    memory, places in it, models
    turn_queue       which client's step runs next: the rules
    scheduler        has the steps wait for it
    fixed_question   what shows whether a model still is what it was
    model_checks     finds models that do not answer any more as they did
    hang_watch       finds a step that does not end, and ends the process
    sail_chip        the only module that touches sophon.sail
    launch_proof     finds launches that failed without saying so
    vendor_output    what the vendor's libraries print
    condition        memory, utilisation and temperature, asked for between launches
    counters         launches, seconds, waiting
    bmodel_file      what a bmodel says about itself
    flatbuffer       the form in which it says so
    kinds            the chips: their cores, whose files they take
    vendor_errors    what the vendor's error texts mean
    versions         what of the vendor's software is too old, and for what
"""
