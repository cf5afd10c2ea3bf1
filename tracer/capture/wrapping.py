"""Wrappers for every form a function can have; signature, docstring and kind stay as they were."""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any

from tracer.capture.frames import Frame, Spec, open_frame

Open = Callable[[Spec, tuple[Any, ...], dict[str, Any]], Frame | None]


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
        frame = opener(spec, args, kwargs)
        if frame is None:
            return function(*args, **kwargs)
        if frame.served:
            frame.step.run.wait(frame.decision)
            return frame.answer()
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
            return _await(frame, result)
        frame.finish(result)
        return result

    return wrapper


async def _await(frame: Frame, awaitable: Coroutine[Any, Any, Any]) -> Any:
    frame.enter()
    try:
        result = await awaitable
    except BaseException as error:
        frame.leave()
        frame.fail(error)
        raise
    frame.leave()
    frame.finish(result)
    return result


def _wrap_coroutine(spec: Spec, opener: Open) -> Callable[..., Any]:
    function = spec.function

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        frame = opener(spec, args, kwargs)
        if frame is None:
            return await function(*args, **kwargs)
        if frame.served:
            return await _served(frame)
        return await _await(frame, function(*args, **kwargs))

    return wrapper


async def _served(frame: Frame) -> Any:
    try:
        await frame.step.run.wait_async(frame.decision)
    except BaseException as error:  # cancelled while it hung, as it was when recorded
        frame.fail(error)
        raise
    return frame.answer()


def _wrap_generator(spec: Spec, opener: Open) -> Callable[..., Any]:
    function = spec.function

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        frame = opener(spec, args, kwargs)
        if frame is None:
            return (yield from function(*args, **kwargs))
        if frame.served:
            frame.step.run.wait(frame.decision)
            yield from frame.answer()
            return None
        return (yield from _drive(frame, function(*args, **kwargs)))

    return wrapper


def _drive(frame: Frame, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a generator step by step, its scope current only while its own code runs."""
    items: list[Any] = []
    resume: Callable[[], Any] = functools.partial(next, generator)
    while True:
        frame.enter()
        try:
            item = resume()
        except StopIteration as stop:
            frame.leave()
            frame.finish(items, generator=True)
            return stop.value
        except BaseException as error:
            frame.leave()
            frame.fail(error)
            raise
        frame.leave()
        items.append(item)
        try:
            sent = yield item
        except GeneratorExit:
            _close(frame, generator, items)
            raise
        except BaseException as error:
            resume = functools.partial(generator.throw, error)
        else:
            resume = functools.partial(generator.send, sent)


def _close(frame: Frame, generator: Generator[Any, Any, Any], items: list[Any]) -> None:
    """The consumer stopped reading: let the generator clean up, then record what it gave."""
    frame.enter()
    try:
        generator.close()
    except BaseException as error:
        frame.leave()
        frame.fail(error)
        raise
    frame.leave()
    frame.finish(items, generator=True, abandoned=True)


def _wrap_async_generator(spec: Spec, opener: Open) -> Callable[..., Any]:
    function = spec.function

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        frame = opener(spec, args, kwargs)
        if frame is not None and frame.served:
            for item in await _served(frame):
                yield item
            return
        drive = _AsyncDrive(frame, function(*args, **kwargs))
        resume = functools.partial(drive.generator.asend, None)
        while await drive.advance(resume):
            try:
                sent = yield drive.item
            except GeneratorExit:
                await drive.close()
                raise
            except BaseException as error:
                resume = functools.partial(drive.generator.athrow, error)
            else:
                resume = functools.partial(drive.generator.asend, sent)

    return wrapper


class _AsyncDrive:
    """An async generator run step by step, its scope current only while its own code runs."""

    def __init__(self, frame: Frame | None, generator: AsyncGenerator[Any, Any]) -> None:
        self.frame = frame
        self.generator = generator
        self.item: Any = None
        self._items: list[Any] = []

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
            self._items.append(self.item)
        return True

    async def close(self) -> None:
        """The consumer stopped reading."""
        await self.generator.aclose()
        if self.frame is not None:
            self.frame.finish(self._items, generator=True, abandoned=True)

    def _end(self, error: BaseException | None) -> None:
        if self.frame is None:
            return
        self.frame.leave()
        if error is None:
            self.frame.finish(self._items, generator=True)
        else:
            self.frame.fail(error)
