/** Times and sizes in words, in the language of the page. */
import type { IProject } from '../server/projects';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** The language of the page. */
export function language(): string {
  return (typeof document === 'undefined' ? '' : document.documentElement.lang) || 'en';
}

/** What of a session's id is enough to tell it from others. */
export function shortId(sessionId: string): string {
  return sessionId.slice(0, 8);
}

/** How long until a time that is to come, such as "in 12 days", rounded up as the server does. */
export function timeUntil(time: string, now: number): string {
  const [count, unit] = untilInUnits(time, now);
  return new Intl.RelativeTimeFormat(language()).format(count, unit);
}

/** The same as a length of time, such as "12 days". */
export function timeLeft(time: string, now: number): string {
  const [count, unit] = untilInUnits(time, now);
  return new Intl.NumberFormat(language(), {
    style: 'unit',
    unit,
    unitDisplay: 'long'
  }).format(count);
}

function untilInUnits(time: string, now: number): [number, 'day' | 'hour' | 'minute'] {
  const left = Math.max(Date.parse(time) - now, 0);
  if (left >= DAY) {
    return [Math.ceil(left / DAY), 'day'];
  }
  return left >= HOUR
    ? [Math.ceil(left / HOUR), 'hour']
    : [Math.ceil(left / MINUTE), 'minute'];
}

/** Bytes in the largest unit of which there is one, such as "1.5 MB". */
export function sizeInWords(bytes: number): string {
  let [size, unit] = [bytes, 0];
  while (size >= 999.5 && unit < UNITS.length - 1) {
    [size, unit] = [size / 1000, unit + 1];
  }
  return new Intl.NumberFormat(language(), {
    style: 'unit',
    unit: UNITS[unit],
    unitDisplay: unit === 0 ? 'long' : 'short',
    maximumFractionDigits: size < 10 && unit > 0 ? 1 : 0
  }).format(size);
}

/** Whether a project is so close to its cleanup that the user should know. */
export function isDueSoon(
  project: IProject,
  now: number,
  warningDays: number
): boolean {
  const { cleanupAt } = project;
  return cleanupAt !== null && Date.parse(cleanupAt) - now <= warningDays * DAY;
}
