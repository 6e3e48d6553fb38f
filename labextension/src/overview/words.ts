/** Days, times, durations and sizes in words, in the language of the page. */

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** A day of UTC, such as `2026-11-24`, as "Nov 24". */
export function dayInWords(date: string): string {
  return format(date, { month: 'short', day: 'numeric', timeZone: 'UTC' });
}

/** A time as a date of the user's, such as "November 24, 2026". */
export function dateInWords(time: string): string {
  return format(time, { dateStyle: 'long' });
}

/** A time as the user's clock shows it, such as "Nov 24, 2026, 1:30 PM". */
export function timeInWords(time: string): string {
  return format(time, { dateStyle: 'medium', timeStyle: 'short' });
}

/** How long something took, such as "3 hr 20 min". */
export function durationInWords(seconds: number): string {
  if (seconds < 60) {
    return units(Math.floor(seconds), 'second');
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return units(minutes, 'minute');
  }
  const hours = units(Math.floor(minutes / 60), 'hour');
  const rest = minutes % 60;
  return rest > 0 ? `${hours} ${units(rest, 'minute')}` : hours;
}

/** How long until a time that is to come, such as "in 12 days", rounded up. */
export function timeUntil(time: string, now: number): string {
  const hours = Math.max(Date.parse(time) - now, 0) / 3_600_000;
  const words = new Intl.RelativeTimeFormat(language());
  return hours >= 24
    ? words.format(Math.ceil(hours / 24), 'day')
    : words.format(Math.ceil(hours), 'hour');
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

function units(value: number, unit: string): string {
  return new Intl.NumberFormat(language(), {
    style: 'unit',
    unit,
    unitDisplay: 'short'
  }).format(value);
}

/** What is no time is shown as it is. */
function format(time: string, options: Intl.DateTimeFormatOptions): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime())
    ? time
    : new Intl.DateTimeFormat(language(), options).format(date);
}

function language(): string {
  return (typeof document === 'undefined' ? '' : document.documentElement.lang) || 'en';
}
