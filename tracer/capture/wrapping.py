"""Wrappers for every form a function can have; signature, docstring and kind stay as they were."""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any

from tracer.capture.boundary import ValueAnswer
from tracer.capture.calls import Opening
from tracer.capture.exceptions import without_us
from tracer.capture.frames import Frame, Spec, open_frame
from tracer.capture.opened import opened, opened_async
from tracer.capture.yields import Items, Playback, thrown_token, token

Open = Callable[[Spec, tuple[Any, ...], dict[str, Any]], Opening[Frame | None]]


def wrap(spec: Spec, opener: Open = open_frame) -> Callable[..., Any]:
    """The recording wrapper of `spec.function`, of the same form (plain, async, generator)."""
    function = spec.function
    if inspect.isasyncgenfunction(function):
        return _wrap_async_generator(spec, opener)
    if inspect.iscoroutinefunction(function):
        return _wrap_coroutine(spec, opener)
    if inspect.isgeneratorfunction(function):
        return _wrap_generator(spec, opener)
    return _wrap_plain(spec, opener)


def _wrap_plain(spec: Spec, opener: Open) -> Callable[..., Any]:
    function = spec.function

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except BaseException as error:
            without_us(error)
            raise

    def call(*args: Any, **kwargs: Any) -> Any:
        frame = opened(opener(spec, args, kwargs))
        if frame is None:
            return function(*args, **kwargs)
        if frame.served:
            if frame.awaited:
                return _served(frame)
            frame.step.run.wait(frame.decision)
            return frame.answer()
        args, kwargs = frame.called_with(args, kwargs)
        frame.enter()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            frame.leave()
            frame.fail(error)
            raise
        frame.leave()
        if inspect.iscoroutine(result):
            # A plain function that hands back a coroutine: the step ends when that does.
            return _await(frame, result, awaitable=True)
        frame.finish(result)
        return result

    return wrapper


async def _await(frame: Frame, work: Coroutine[Any, Any, Any], **detail: Any) -> Any:
    frame.enter()
    try:
        result = await work
    except BaseException as error:
        frame.leave()
        frame.fail(error, **detail)
        raise
    frame.leave()
    frame.finish(result, **detail)
    return result


def _called(
    frame: Frame | None, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The coroutine or generator of a call; arguments that don't fit end the step at once."""
    if frame is not None:
        args, kwargs = frame.called_with(args, kwargs)
    try:
        return function(*args, **kwargs)
    except BaseException as error:
        if frame is not None:
            frame.fail(error)
        raise


def _wrap_coroutine(spec: Spec, opener: Open) -> Callable[..., Any]:
    function = spec.function

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            frame = await opened_async(opener(spec, args, kwargs))
            if frame is None:
                return await function(*args, **kwargs)
            if frame.served:
                return await _served(frame)
            return await _await(frame, _called(frame, function, args, kwargs))
        except BaseException as error:
            without_us(error)
            raise

    return wrapper


async def _served(frame: Frame) -> Any:
    try:
        await frame.step.run.wait_async(frame.decision)
        if frame.hangs:
            await frame.step.run.hang(frame.decision)
    except BaseException as error:  # cancelled while it hung, as it was when recorded
        frame.fail(error)
        raise
    return frame.answer()


def _wrap_generator(spec: Spec, opener: Open) -> Callable[..., Any]:
    function = spec.function

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        try:
            frame = opened(opener(spec, args, kwargs))
            if frame is None:
                return (yield from function(*args, **kwargs))
            if frame.served:
                return (yield from _replay_items(frame))
            return (yield from _drive(frame, _called(frame, function, args, kwargs)))
        except BaseException as error:
            without_us(error)
            raise

    return wrapper


def _replay_items(frame: Frame) -> Generator[Any, Any, Any]:
    """A recorded generator again; it is held back only at its end, items have no order."""
    playback = frame.playback()
    for item in playback.items:
        try:
            sent = yield item
        except GeneratorExit:
            frame.let_go()
            raise
        except BaseException as error:
            playback.took(thrown_token(error))
        else:
            playback.took(token(sent))
    frame.step.run.wait(frame.decision, "end")
    return frame.played(playback)


def _drive(frame: Frame, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a generator step by step, its scope current only while its own code runs."""
    items = frame.items()
    resume: Callable[[], Any] = functools.partial(next, generator)
    while True:
        frame.enter()
        try:
            item = resume()
        except StopIteration as stop:
            frame.leave()
            frame.finish_items(items, returned=stop.value)
            return stop.value
        except BaseException as error:
            frame.leave()
            frame.fail(error, items)
            raise
        frame.leave()
        items.gave(item)
        try:
            sent = yield item
        except GeneratorExit:
            _close(frame, generator, items)
            raise
        except BaseException as error:
            items.took(thrown_token(error))
            resume = functools.partial(generator.throw, error)
        else:
            items.took(token(sent))
            resume = functools.partial(generator.send, sent)


def _close(frame: Frame, generator: Generator[Any, Any, Any], items: Items) -> None:
    """The consumer stopped reading: let the generator clean up, then record what it gave."""
    frame.enter()
    try:
        generator.close()
    except BaseException as error:
        frame.leave()
        frame.fail(error, items)
        raise
    frame.leave()
    frame.finish_items(items, abandoned=True)


def _wrap_async_generator(spec: Spec, opener: Open) -> Callable[..., Any]:
    function = spec.function

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        try:
            frame = await opened_async(opener(spec, args, kwargs))
            if frame is not None and frame.served:
                replayed = _AsyncReplay(frame)
                for item in await replayed.items():
                    try:
                        sent = yield item
                    except GeneratorExit:
                        frame.let_go()
                        raise
                    except BaseException as thrown:
                        replayed.took(thrown_token(thrown))
                    else:
                        replayed.took(token(sent))
                await replayed.end()
                return
            drive = _AsyncDrive(frame, _called(frame, function, args, kwargs))
            resume = functools.partial(drive.generator.asend, None)
            while await drive.advance(resume):
                try:
                    sent = yield drive.item
                except GeneratorExit:
                    await drive.close()
                    raise
                except BaseException as thrown:
                    drive.items.took(thrown_token(thrown))
                    resume = functools.partial(drive.generator.athrow, thrown)
                else:
                    drive.items.took(token(sent))
                    resume = functools.partial(drive.generator.asend, sent)
        except BaseException as error:
            without_us(error)
            raise

    return wrapper


class _AsyncReplay:
    """A recorded async generator again; it is held back only at its end."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._playback: Playback | None = None

    async def items(self) -> list[Any]:
        if self._frame.hangs:  # cancelled before its first item
            await _served(self._frame)
        self._playback = self._frame.playback()
        return self._playback.items

    def took(self, what: Any) -> None:
        assert self._playback is not None
        self._playback.took(what)

    async def end(self) -> None:
        """Raise what it raised, or hang as it did."""
        frame, run = self._frame, self._frame.step.run
        assert self._playback is not None
        given = frame.decision.answer
        if isinstance(given, ValueAnswer) and given.hangs:
            try:
                await run.hang(frame.decision)
            except BaseException as error:
                frame.fail(error)
                raise
        await run.wait_async(frame.decision, "end")
        frame.played(self._playback)


class _AsyncDrive:
    """An async generator run step by step, its scope current only while its own code runs."""

    def __init__(self, frame: Frame | None, generator: AsyncGenerator[Any, Any]) -> None:
        self.frame = frame
        self.generator = generator
        self.item: Any = None
        self.items = Items() if frame is None else frame.items()

    async def advance(self, resume: Callable[[], Any]) -> bool:
        """Run to the next item; False at the end. The generator's exceptions pass."""
        frame = self.frame
        if frame is not None:
            frame.enter()
        try:
            self.item = await resume()
        except StopAsyncIteration:
            self._end(None)
            return False
        except BaseException as error:
            self._end(error)
            raise
        if frame is not None:
            frame.leave()
            self.items.gave(self.item)
        return True

    async def close(self) -> None:
        """The consumer stopped reading."""
        if self.frame is None:
            await self.generator.aclose()
            return
        self.frame.enter()
        try:
            await self.generator.aclose()
        except BaseException as error:
            self._end(error)
            raise
        self.frame.leave()
        self.frame.finish_items(self.items, abandoned=True)

    def _end(self, error: BaseException | None) -> None:
        if self.frame is None:
            return
        self.frame.leave()
        if error is None:
            self.frame.finish_items(self.items)
        else:
            self.frame.fail(error, self.items)
