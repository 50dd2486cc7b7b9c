"""Which layers an update runs: those that have something to change, found out side by side.

`inputs` and `stack_state` tell what a layer's program reads and what its stack holds, `records`
what both were after its last update here, `ways` decides how a layer is treated, and `foresight`
runs the previews and says which layers are done without an update.
"""
