/** Kinds of plots, as specifications of Vega-Lite 5 without colours. */
import type { JSONObject } from '@lumino/coreutils';

const HEIGHT = 150;

/** A value with its name, and the value in words. */
export interface IBar {
  readonly label: string;
  readonly value: number;
  readonly words: string;
}

/** How a plot looks: colours and font of Lab's theme, and how wide it is, in pixels. */
export interface ILook {
  readonly text: string;
  readonly line: string;
  readonly grid: string;
  readonly accent: string;
  readonly font: string;
  readonly fontSize: number;
  readonly width: number;
}

/** `plot` as it is to be seen. */
export function withLook(plot: JSONObject, look: ILook): JSONObject {
  const { text, line, grid, accent, font, fontSize, width } = look;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    height: HEIGHT,
    ...plot,
    width,
    autosize: { type: 'fit-x', contains: 'padding' },
    padding: 0,
    config: {
      background: 'transparent',
      font,
      view: { stroke: null },
      axis: {
        labelColor: text,
        titleColor: text,
        domainColor: line,
        tickColor: line,
        gridColor: grid,
        labelPadding: 6,
        labelFontSize: fontSize,
        titleFontSize: fontSize,
        titleFontWeight: 'normal'
      },
      bar: { color: accent },
      line: { color: accent },
      point: { color: accent, filled: true },
      text: { color: text, fontSize }
    }
  };
}

/** A bar for each day, the names below. */
export function barsByDay(
  bars: readonly IBar[],
  columns: readonly [string, string],
  options: { readonly isWhole?: boolean; readonly axis?: string }
): JSONObject {
  const { isWhole = false, axis } = options;
  return {
    data: values(bars),
    mark: { type: 'bar', cornerRadiusEnd: 2 },
    encoding: {
      x: {
        field: 'label',
        type: 'ordinal',
        sort: null,
        axis: {
          title: null,
          labelAngle: 0,
          labelOverlap: 'greedy',
          labelPadding: 6,
          labelSeparation: 12,
          ticks: false
        }
      },
      y: {
        field: 'value',
        type: 'quantitative',
        axis: {
          title: axis ?? null,
          // More ticks than a whole number has steps would be fractions.
          tickCount: isWhole ? Math.min(4, Math.max(1, ...bars.map(bar => bar.value))) : 4,
          domain: false,
          ticks: false,
          ...(isWhole ? { format: 'd' } : {})
        }
      },
      tooltip: tooltip(columns)
    }
  };
}

/** A lying bar for each value, its name on the left and its size in words behind it. */
export function barsWithWords(
  bars: readonly IBar[],
  columns: readonly [string, string]
): JSONObject {
  const largest = Math.max(...bars.map(({ value }) => value));
  const y = {
    field: 'label',
    type: 'ordinal',
    sort: null,
    axis: { title: null, domain: false, ticks: false, labelLimit: 200 }
  };
  const x = {
    field: 'value',
    type: 'quantitative',
    axis: null,
    // Leaves room for the words behind the longest bar.
    scale: { domain: [0, Math.max(largest, 1) * 1.5] }
  };
  return {
    data: values(bars),
    encoding: { x, y, tooltip: tooltip(columns) },
    layer: [
      { mark: { type: 'bar', cornerRadiusEnd: 2 } },
      {
        mark: { type: 'text', align: 'left', dx: 6 },
        encoding: { text: { field: 'words', type: 'nominal' } }
      }
    ]
  };
}

/** A size in bytes that stays as it is until the next point. */
export function stepsOverTime(
  points: readonly (IBar & { readonly time: string })[],
  columns: readonly [string, string]
): JSONObject {
  const largest = Math.max(...points.map(({ value }) => value));
  const [unit, unitName] =
    largest >= 1e9
      ? [1e9, 'GB']
      : largest >= 1e6
        ? [1e6, 'MB']
        : largest >= 1e3
          ? [1e3, 'kB']
          : [1, 'B'];
  const times = points.map(({ time }) => Date.parse(time));
  const length = Math.max(...times) - Math.min(...times);
  const scaled = points.map(point => ({ ...point, value: point.value / unit }));
  return {
    data: values(scaled),
    mark: { type: 'line', interpolate: 'step-after', point: true },
    encoding: {
      x: {
        field: 'time',
        type: 'temporal',
        axis: {
          title: null,
          format: formatFor(length),
          grid: false,
          labelOverlap: 'greedy',
          labelPadding: 6,
          labelSeparation: 12,
          tickCount: 5
        }
      },
      y: {
        field: 'value',
        type: 'quantitative',
        scale: { zero: true },
        axis: { title: unitName, tickCount: 4, domain: false, ticks: false }
      },
      tooltip: tooltip(columns)
    }
  };
}

/** Of the times on an axis of so many milliseconds. */
function formatFor(length: number): string {
  if (length > 3 * 86_400_000) {
    return '%Y-%m-%d';
  }
  return length > 600_000 ? '%H:%M' : '%H:%M:%S';
}

function values(bars: readonly IBar[]): JSONObject {
  return { values: bars.map(bar => ({ ...bar })) };
}

function tooltip([label, words]: readonly [string, string]): JSONObject[] {
  return [
    { field: 'label', type: 'nominal', title: label },
    { field: 'words', type: 'nominal', title: words }
  ];
}
