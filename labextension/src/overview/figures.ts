/** What the overview shows as plots: pure, from the server's numbers to Vega-Lite. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';

import { sizeInWords } from '../model/words';
import type { IDay, IUsage } from '../server/usage';
import { barsByDay, barsWithWords, stepsOverTime } from './plots';
import { dayInWords, durationInWords, timeInWords } from './words';

/** A plot, and the same as a table. */
export interface IFigure {
  readonly name: string;
  readonly title: string;

  /** All of it in a few words. */
  readonly summary: string;
  readonly columns: readonly [string, string];
  readonly rows: readonly (readonly [string, string])[];

  /** The plot as a Vega-Lite specification; null when there is nothing to see. */
  readonly plot: JSONObject | null;
}

const DAY = 86_400_000;

/** With fewer days bars do not look like time; more the server does not keep. */
const FEWEST_DAYS = 14;
const MOST_DAYS = 90;

/** The figures of the overview, `now` in milliseconds. */
export function figuresOf(
  usage: IUsage,
  trans: TranslationBundle,
  now: number
): IFigure[] {
  return [
    sessionsByDay(usage, trans, now),
    timeByDay(usage, trans, now),
    diskByPart(usage, trans),
    memoryOverTime(usage, trans)
  ];
}

function sessionsByDay(
  { days, totals }: IUsage,
  trans: TranslationBundle,
  now: number
): IFigure {
  const title = trans.__('Sessions a day');
  const columns = [trans.__('Day (UTC)'), trans.__('Sessions')] as const;
  const words = ({ sessions }: IDay): string => sessions.toString();
  const bars = everyDay(days, now).map(day => ({
    label: dayInWords(day.date),
    value: day.sessions,
    words: words(day)
  }));
  return {
    name: 'sessions',
    title,
    summary: trans._n('%1 session in all', '%1 sessions in all', totals.sessions),
    columns,
    rows: rowsOf(days, words),
    plot: days.length > 0 ? barsByDay(bars, columns, { isWhole: true }) : null
  };
}

function timeByDay(
  { days, totals }: IUsage,
  trans: TranslationBundle,
  now: number
): IFigure {
  const columns = [trans.__('Day (UTC)'), trans.__('Time')] as const;
  const longest = Math.max(0, ...days.map(({ seconds }) => seconds));
  // The totals are without live sessions, which the days have.
  const shown = days.reduce((sum, { seconds }) => sum + seconds, 0);
  const [unit, unitName] =
    longest >= 7200
      ? [3600, trans.__('hours')]
      : longest >= 120
        ? [60, trans.__('minutes')]
        : [1, trans.__('seconds')];
  const words = ({ seconds }: IDay): string => durationInWords(seconds);
  const bars = everyDay(days, now).map(day => ({
    label: dayInWords(day.date),
    value: day.seconds / unit,
    words: words(day)
  }));
  return {
    name: 'time',
    title: trans.__('Time in sessions a day'),
    summary: trans.__('%1 in all', durationInWords(Math.max(totals.seconds, shown))),
    columns,
    rows: rowsOf(days, words),
    plot: days.length > 0 ? barsByDay(bars, columns, { axis: unitName }) : null
  };
}

function diskByPart({ disk }: IUsage, trans: TranslationBundle): IFigure {
  const names: Readonly<Record<string, string>> = {
    repo: trans.__('Workspace'),
    deps: trans.__('Packages'),
    persistent_memory: trans.__('Persistent memory'),
    snapshots: trans.__('Snapshots'),
    logs: trans.__('Journals'),
    agent: trans.__('Agent')
  };
  const inWords = (bytes: number, isComplete: boolean): string =>
    isComplete
      ? sizeInWords(bytes)
      : trans.__('at least %1', sizeInWords(bytes));
  const columns = [trans.__('Part'), trans.__('Size')] as const;
  const bars = disk.parts.map(({ name, bytes, isComplete }) => ({
    label: names[name] ?? name,
    value: bytes,
    words: inWords(bytes, isComplete)
  }));
  return {
    name: 'disk',
    title: trans.__('Disk'),
    summary: trans.__(
      '%1 on %2',
      inWords(disk.bytes, disk.isComplete),
      timeInWords(disk.measuredAt)
    ),
    columns,
    rows: bars.map(({ label, words }) => [label, words] as const),
    plot: bars.length > 0 ? barsWithWords(bars, columns) : null
  };
}

function memoryOverTime({ memory }: IUsage, trans: TranslationBundle): IFigure {
  const newest = memory.at(-1);
  const columns = [trans.__('Snapshot'), trans.__('Size')] as const;
  const points = memory.map(({ takenAt, bytes }) => ({
    time: takenAt,
    label: timeInWords(takenAt),
    value: bytes,
    words: sizeInWords(bytes)
  }));
  return {
    name: 'memory',
    title: trans.__('Hot memory'),
    summary: newest
      ? trans._n(
          '%2 in %1 file in the newest snapshot',
          '%2 in %1 files in the newest snapshot',
          newest.files,
          sizeInWords(newest.bytes)
        )
      : trans.__('No snapshot yet'),
    columns,
    rows: points.map(({ label, words }) => [label, words] as const).reverse(),
    plot: points.length > 0 ? stepsOverTime(points, columns) : null
  };
}

/** The newest day first. */
function rowsOf(
  days: readonly IDay[],
  words: (day: IDay) => string
): (readonly [string, string])[] {
  return days.map(day => [dayInWords(day.date), words(day)] as const).reverse();
}

/** The days of UTC until today, also those on which nothing happened. */
export function everyDay(days: readonly IDay[], now: number): IDay[] {
  const known = new Map(days.map(day => [day.date, day]));
  const times = days.map(({ date }) => Date.parse(date)).filter(Number.isFinite);
  // A clock that was ahead has left days that are still to come.
  const last = Math.max(now - (now % DAY), ...times);
  const first = Math.min(last - (FEWEST_DAYS - 1) * DAY, ...times);
  const count = Math.min((last - first) / DAY + 1, MOST_DAYS);
  return Array.from({ length: count }, (_, at) => {
    const time = last - (count - 1 - at) * DAY;
    const date = new Date(time).toISOString().slice(0, 10);
    return known.get(date) ?? { date, sessions: 0, seconds: 0, messages: 0 };
  });
}
