"""bridge.py -- the functions of the package forgesyte, done through the channel.

Knows: the channel.   May not know: what plugins are.   Threads: any.
"""
import os

from forgesyte._host import NoHost

from . import wire
from .channel import Channel


class Host(NoHost):
    def __init__(self, channel: Channel, load: wire.Load) -> None:
        self.plugin_dir = load.dir
        self.models = {name: os.path.join(load.dir, path) for name, path in load.models.items()}
        self.progress = channel.progress
        self.log = channel.log
        self.cancelled = channel.cancelled
