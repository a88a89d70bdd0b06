import { inspect } from 'node:util';

/** A value that no log, error or JSON shows. Ask for it with `reveal()` only where it is used. */
export interface Secret<T> {
  reveal(): T;
  toString(): string;
  toJSON(): string;
}

const shown = '[secret]';

/** Wraps a value so that printing, inspecting or serialising it gives `[secret]`. */
export function secretOf<T>(value: T): Secret<T> {
  return Object.freeze({
    reveal: () => value,
    toString: () => shown,
    toJSON: () => shown,
    [inspect.custom]: () => shown,
  });
}
