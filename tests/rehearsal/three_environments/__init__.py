"""The environments of this repository in one sandbox, which ends with these tests.

Three clusters take a share of the processor for as long as they run, whatever is tested then.
"""
