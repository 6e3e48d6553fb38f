/** Readers of what came as JSON: a value of the wrong kind becomes the default. */

/** The server answered with something that is not what was asked for. */
export class UnexpectedAnswerError extends Error {}

/** An object as it came from JSON. */
export type JSONRecord = Readonly<Record<string, unknown>>;

/** Whether `value` is an object (or an array). */
export function isRecord(value: unknown): value is JSONRecord {
  return typeof value === 'object' && value !== null;
}

/** `value` as an object. @throws UnexpectedAnswerError */
export function record(value: unknown): JSONRecord {
  if (!isRecord(value)) {
    throw new UnexpectedAnswerError();
  }
  return value;
}

/** The items of the list `value`, each read by `read`. @throws UnexpectedAnswerError */
export function list<T>(value: unknown, read: (item: unknown) => T): T[] {
  if (!Array.isArray(value)) {
    throw new UnexpectedAnswerError();
  }
  return value.map(read);
}

/** A text that has to be there. @throws UnexpectedAnswerError */
export function requiredText(value: unknown): string {
  if (typeof value !== 'string') {
    throw new UnexpectedAnswerError();
  }
  return value;
}

/** A text; the default is the empty one. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A text, or null. */
export function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** A number; the default is 0. */
export function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

/** A number, or null. */
export function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

/** The texts of a list; anything else is left out. */
export function texts(value: unknown): string[] {
  return Array.isArray(value)
    ? value.filter((item): item is string => typeof item === 'string')
    : [];
}
