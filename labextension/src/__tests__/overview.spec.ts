import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IFigure } from '../overview/figures';
import { everyDay, figuresOf } from '../overview/figures';
import { OverviewModel } from '../overview/model';
import { withLook } from '../overview/plots';
import { durationInWords } from '../overview/words';
import { ServerEvents } from '../server/events';
import { RefusedError } from '../server/request';
import type { IUsage } from '../server/usage';
import { connection, json, Socket } from './support';

/* eslint jupyter/require-disposable-ownership: off -- none of these outlives its test */
/* eslint jupyter/no-untranslated-string: off -- these are what is expected */

const NOW = Date.parse('2026-11-24T15:00:00Z');

const USAGE = {
  project_id: 'my-api-a7b3c2d1',
  days: [
    { date: '2026-11-20', sessions: 2, seconds: 7500.5, messages: 4 },
    { date: '2026-11-24', sessions: 1, seconds: 30, messages: 0 }
  ],
  reasons: { client: 3 },
  totals: { sessions: 3, seconds: 7530.5, messages: 4 },
  disk: {
    bytes: 5_200_000,
    complete: false,
    measured_at: '2026-11-24T14:58:00.000000Z',
    parts: {
      repo: { bytes: 5_000_000, entries: 9, complete: false },
      future: { bytes: 200_000, entries: 1, complete: true }
    }
  },
  memory: [
    { generation: 1, taken_at: '2026-11-20T10:00:00.000000Z', files: 1, bytes: 400 },
    { generation: 2, taken_at: '2026-11-24T10:00:00.000000Z', files: 2, bytes: 2500 }
  ]
};

const DETAILS = {
  project_id: 'my-api-a7b3c2d1',
  user_prefix: 'my-api',
  description: 'Payments',
  tags: [],
  active_sessions: 0,
  status: 'idle',
  pinned: false,
  cleanup_at: '2026-12-24T12:00:00.000000Z',
  last_accessed: '2026-11-24T12:00:00.000000Z',
  created_at: '2026-10-01T12:00:00.000000Z',
  contents_path: null,
  trusted: true,
  network_mode: 'ON',
  cleanup_after_days: 30,
  config: { repo_url: 'https://example.org/a.git', keep_packages: true },
  statistics: { files_modified: 3, tests_run: 12 },
  sessions: [
    { session_id: 'old', project_id: 'my-api-a7b3c2d1', started_at: '2026-11-20T09:00:00.000000Z', ended_at: '2026-11-20T10:00:00.000000Z', reason: 'idle', isolated: true, runtime: 'docker' },
    { session_id: 'new', project_id: 'my-api-a7b3c2d1', started_at: '2026-11-24T09:00:00.000000Z', ended_at: null, reason: null, runtime: 'process' }
  ]
};

/** Fills in as Lab's translator does where there is no translation; that one needs a page. */
const filled = (text: string, ...values: unknown[]): string =>
  text.replace(/%(\d)/g, (_, at: string) => String(values[Number(at) - 1]));
const trans = {
  __: filled,
  _n: (one: string, more: string, count: number, ...values: unknown[]): string =>
    filled(count === 1 ? one : more, count, ...values)
} as unknown as TranslationBundle;

/** Answers as the server does, and counts how often it was asked. */
function server(): {
  answer: (url: string) => Response;
  asked: jest.Mock<() => void>;
} {
  const asked = jest.fn<() => void>();
  return {
    asked,
    answer: url => {
      asked();
      return json(/\/usage\b/.test(url) ? USAGE : DETAILS);
    }
  };
}

function overview(
  answer: (url: string) => Response | Promise<Response>
): OverviewModel {
  const settings = connection(answer);
  return new OverviewModel(settings, new ServerEvents(settings), 'my-api-a7b3c2d1', 1);
}

async function usage(): Promise<IUsage> {
  const model = overview(server().answer);
  await model.refresh();
  if (!model.usage) {
    throw model.error ?? new Error('no usage');
  }
  return model.usage;
}

async function figure(name: string, change: Partial<IUsage> = {}): Promise<IFigure> {
  const all = figuresOf(
    { ...(await usage()), ...change },
    trans,
    NOW
  );
  const found = all.find(candidate => candidate.name === name);
  if (!found) {
    throw new Error(`no figure ${name}`);
  }
  return found;
}

afterEach(() => {
  Socket.made = [];
});

describe('the figures of a project', () => {
  it('counts sessions for each day, also those without any', async () => {
    const { columns, plot, rows, summary } = await figure('sessions');
    expect(summary).toBe('3 sessions in all');
    expect(columns).toEqual(['Day (UTC)', 'Sessions']);
    expect(rows).toEqual([
      ['Nov 24', '1'],
      ['Nov 20', '2']
    ]);
    const values = plot?.data as { values: { label: string; value: number }[] };
    expect(values.values).toHaveLength(14);
    expect(values.values.at(-1)).toMatchObject({ label: 'Nov 24', value: 1 });
    expect(values.values.at(-2)).toMatchObject({ label: 'Nov 23', value: 0 });
  });

  it.each([
    [7500.5, 'hours', 7500.5 / 3600],
    [180, 'minutes', 3],
    [20, 'seconds', 20]
  ])('has time in a unit that fits: %d s', async (seconds, unit, value) => {
    const day = { date: '2026-11-24', sessions: 1, seconds, messages: 0 };
    const { plot } = await figure('time', { days: [day] });
    expect(plot).toMatchObject({ encoding: { y: { axis: { title: unit } } } });
    const { values } = plot?.data as unknown as { values: { value: number }[] };
    expect(values.at(-1)?.value).toBeCloseTo(value);
  });

  it('says what was not measured to the end, and knows parts that are to come', async () => {
    const { rows, summary } = await figure('disk');
    expect(summary).toMatch(/^at least 5\.2 MB on /);
    expect(rows).toEqual([
      ['Workspace', 'at least 5 MB'],
      ['future', '200 kB']
    ]);
  });

  it('shows memory as it was in the snapshots', async () => {
    const { plot, rows, summary } = await figure('memory');
    expect(summary).toBe('2.5 kB in 2 files in the newest snapshot');
    expect(rows.map(([, size]) => size)).toEqual(['2.5 kB', '400 bytes']);
    expect(plot).toMatchObject({
      data: { values: [{ value: 0.4 }, { value: 2.5 }] },
      encoding: { y: { axis: { title: 'kB' } } }
    });
  });

  it('has no plot of nothing', async () => {
    expect((await figure('sessions', { days: [] })).plot).toBeNull();
    expect((await figure('time', { days: [] })).plot).toBeNull();
    const memory = await figure('memory', { memory: [] });
    expect(memory).toMatchObject({ plot: null, summary: 'No snapshot yet' });
  });

  it.each([
    [1, 1],
    [2, 2],
    [9, 4]
  ])('counts %i sessions in whole steps', async (sessions, tickCount) => {
    const days = [{ date: '2026-11-24', sessions, seconds: 1, messages: 0 }];
    const { plot } = await figure('sessions', { days });
    expect(plot).toMatchObject({ encoding: { y: { axis: { tickCount } } } });
  });

  it('counts the time of live sessions as the plot does', async () => {
    const days = [{ date: '2026-11-24', sessions: 1, seconds: 90, messages: 0 }];
    const totals = { sessions: 1, seconds: 0, messages: 0 };
    expect((await figure('time', { days, totals })).summary).toBe('1 min in all');
  });

  it('takes its colours from the theme', async () => {
    const { plot } = await figure('disk');
    const look = {
      text: '#111',
      line: '#222',
      grid: '#333',
      accent: '#444',
      font: 'serif',
      fontSize: 11,
      width: 300
    };
    expect(withLook(plot ?? {}, look)).toMatchObject({
      width: 300,
      config: { bar: { color: '#444' }, axis: { labelColor: '#111' } }
    });
  });
});

describe('everyDay', () => {
  const day = (date: string): IUsage['days'][number] => ({
    date,
    sessions: 1,
    seconds: 1,
    messages: 1
  });
  const dates = (...known: string[]): string[] =>
    everyDay(known.map(day), NOW).map(({ date }) => date);

  it('goes from the first day that is known to today', () => {
    const found = dates('2026-10-30', '2026-11-02');
    expect(found[0]).toBe('2026-10-30');
    expect(found.at(-1)).toBe('2026-11-24');
    expect(found).toHaveLength(26);
  });

  it('ends with a day that is still to come, and begins 90 days before', () => {
    const found = dates('2020-01-01', '2026-12-01');
    expect(found.at(-1)).toBe('2026-12-01');
    expect(found).toHaveLength(90);
  });

  it('passes over what is no day', () => {
    expect(dates('soon')).toHaveLength(14);
  });
});

describe('durationInWords', () => {
  it.each([
    [0.4, '0 sec'],
    [59.9, '59 sec'],
    [60, '1 min'],
    [3600, '1 hr'],
    [12_000, '3 hr 20 min']
  ])('%d s', (seconds, words) => {
    expect(durationInWords(seconds)).toBe(words);
  });
});

describe('OverviewModel', () => {
  it('asks once somebody looks at it, and reads what it is told', async () => {
    const { answer, asked } = server();
    const model = overview(answer);
    const socket = await Socket.last();
    socket.happens('session', { action: 'started', project_id: model.projectId });
    await settled();
    expect(asked).not.toHaveBeenCalled();
    model.isWatched = true;
    await settled();
    expect(asked).toHaveBeenCalledTimes(2);
    expect(model.details).toMatchObject({
      networkMode: 'ON',
      repoUrl: 'https://example.org/a.git',
      image: null,
      trusted: true,
      testsRun: 12,
      sessions: [
        { id: 'new', endedAt: null, isIsolated: false },
        { id: 'old', reason: 'idle', isIsolated: true }
      ]
    });
    model.isWatched = true;
    await settled();
    expect(asked).toHaveBeenCalledTimes(2);
    model.dispose();
  });

  it('follows its own project while it is looked at', async () => {
    const { answer, asked } = server();
    const model = overview(answer);
    const socket = await Socket.last();
    model.isWatched = true;
    await settled();
    asked.mockClear();
    socket.happens('session', { action: 'ended', project_id: 'other-00000001' });
    socket.happens('progress', { action: 'clone', project_id: model.projectId });
    await settled();
    expect(asked).not.toHaveBeenCalled();
    socket.happens('memory', { action: 'snapshot', project_id: model.projectId });
    socket.happens('session', { action: 'ended', project_id: model.projectId });
    await settled();
    expect(asked).toHaveBeenCalledTimes(2);
    socket.open();
    await settled();
    expect(asked).toHaveBeenCalledTimes(4);
    model.isWatched = false;
    socket.happens('session', { action: 'started', project_id: model.projectId });
    await settled();
    expect(asked).toHaveBeenCalledTimes(4);
    model.isWatched = true;
    await settled();
    expect(asked).toHaveBeenCalledTimes(6);
    model.dispose();
  });

  it('asks for no use of a project in the trash', async () => {
    let details: object = DETAILS;
    const urls: string[] = [];
    const model = overview(url => {
      urls.push(url);
      return json(/\/usage\b/.test(url) ? USAGE : details);
    });
    await model.refresh();
    expect(model.usage).not.toBeNull();
    details = { ...DETAILS, status: 'trashed' };
    await model.refresh();
    expect(urls).toHaveLength(3);
    expect(model).toMatchObject({ error: null, usage: null });
    expect(model.details?.status).toBe('trashed');
    model.dispose();
  });

  it('keeps what it has when the server refuses, and says why', async () => {
    let isGone = false;
    const { answer } = server();
    const gone = { message: 'There is no such project.', error: 'project_not_found' };
    const model = overview(url => (isGone ? json(gone, 404) : answer(url)));
    await model.refresh();
    isGone = true;
    await model.refresh();
    expect(model.error).toBeInstanceOf(RefusedError);
    expect(model.error?.message).toBe('There is no such project.');
    expect(model.details?.id).toBe('my-api-a7b3c2d1');
    model.dispose();
  });
});

function settled(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 60));
}
