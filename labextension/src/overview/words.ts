/** Days, times and durations in words, in the language of the page. */
import { language } from '../model/words';

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

/** A time of today's, such as "1:30 PM". */
export function clockInWords(time: string): string {
  return format(time, { timeStyle: 'short' });
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
