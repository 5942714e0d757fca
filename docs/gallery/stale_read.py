"""Stale read: a client writes to the leader, reads from a follower, and does not find its own write."""

from collections.abc import Callable
from typing import Any

import pykka

from odradek import ActorSystem
from odradek.simulation import World


class FollowerActor(pykka.ThreadingActor):
    """Has what the leader has sent so far. It refuses to answer a reader that has seen more."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: list[str] = []

    def on_receive(self, message: Any) -> list[str] | None:
        match message:
            case ("replicate", post):
                self.posts.append(post)
            case ("read", seen) if len(self.posts) < seen:
                return None
        return list(self.posts)


class LeaderActor(pykka.ThreadingActor):
    """Stores posts, passes them on, and answers how many there are."""

    def __init__(self, follower: pykka.ActorRef[FollowerActor]) -> None:
        super().__init__()
        self.follower, self.count = follower, 0

    def on_receive(self, message: Any) -> int:
        self.count += 1
        self.follower.tell(("replicate", message[1]))
        return self.count


Read = Callable[[World, pykka.ActorRef[FollowerActor], int], Any]


def read_anything(world: World, follower: pykka.ActorRef[FollowerActor], count: int) -> Any:
    return follower.ask(("read", 0))


def read_what_was_written(world: World, follower: pykka.ActorRef[FollowerActor], count: int) -> Any:
    """Tell the follower how much one has seen, and wait until it has that much."""
    while (posts := follower.ask(("read", count))) is None:
        world.sleep(0.001)
    return posts


def post_and_look(world: World, read: Read) -> None:
    """Have two authors write a post each, and look for it."""
    follower = world.start(FollowerActor)
    leader = world.start(LeaderActor, follower)

    def write(author: str) -> None:
        count: Any = leader.ask(("write", author))
        posts = read(world, follower, count)
        assert author in posts, f"{author} wrote post {count}, and finds {posts}"

    for author in ("ann", "bob"):
        world.spawn(write, author, name=author)


def buggy(system: ActorSystem, world: World) -> None:
    post_and_look(world, read_anything)


def fixed(system: ActorSystem, world: World) -> None:
    post_and_look(world, read_what_was_written)
