import { expect, describe, it } from '@jest/globals';
import type { Session } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ISession } from '../server/sessions';
import { UsageReader } from '../sessions/usage';
import { purposeInWords, runtimeInWords, savedInWords } from '../sessions/words';
import { connection, json } from './support';

const SESSION: ISession = {
  id: 'kernel',
  projectId: 'mine-00000001',
  runtime: 'process',
  isIsolated: false,
  networkMode: 'ON',
  image: null,
  contentsPath: null,
  startedAt: '2026-11-24T12:00:00Z',
  endedAt: null,
  reason: null,
  detail: null
};
/** As Lab's without a language pack. */
const trans = {
  __: (text: string, ...values: unknown[]) =>
    text.replace(/%(\d)/g, (_, place: string) => String(values[Number(place) - 1]))
} as unknown as TranslationBundle;

describe('UsageReader', () => {
  it('makes a share of CPUs of two readings, and none over a restart', async () => {
    const readings: unknown[] = [10, 13, 1, null, 2].map(seconds => ({
      memory_bytes: 5,
      memory_limit_bytes: null,
      cpu_seconds: seconds
    }));
    let now = 0;
    const reader = new UsageReader(
      connection(url => {
        expect(url).toMatch(/projects\/mine-00000001\/sessions\/kernel\/usage\b/);
        return json(readings.shift());
      }),
      () => (now += 2000)
    );
    const cpus = [];
    expect(reader.of('kernel')).toBeNull();
    for (let i = 0; i < 5; i++) {
      await reader.read([SESSION]);
      cpus.push(reader.of('kernel')?.cpus);
    }
    expect(cpus).toEqual([null, 1.5, null, null, null]);
    expect(reader.of('kernel')?.memoryBytes).toBe(5);
    await reader.read([]);
    expect(reader.of('kernel')).toBeNull();
  });

  it('shows nothing of a session that can not be asked about', async () => {
    const answers = [json({ memory_bytes: 5 }), json({ message: 'No.', error: 'x' }, 404)];
    const reader = new UsageReader(connection(() => answers.shift() ?? json({})));
    await reader.read([SESSION]);
    expect(reader.of('kernel')).toEqual({
      memoryBytes: 5,
      memoryLimitBytes: null,
      cpus: null
    });
    await reader.read([SESSION]);
    expect(reader.of('kernel')).toBeNull();
  });
});

describe('words', () => {
  it('say plainly that a process is not isolated', () => {
    expect(runtimeInWords(SESSION, trans)).toBe('process (not isolated)');
    const isolated = { ...SESSION, runtime: 'docker', isIsolated: true };
    expect(runtimeInWords(isolated, trans)).toBe('docker');
  });

  it('tell sessions of one project apart by what they are for, or by their start', () => {
    const session = { ...SESSION, id: '0123456789', contentsPath: 'w/mine-00000001/repo' };
    const document = (type: string, name: string, path: string, kernel = session.id) =>
      ({ id: path, type, name, path, kernel: { id: kernel, name: 'cognition' } }) as Session.IModel;
    const purpose = (...documents: Session.IModel[]): string =>
      purposeInWords(session, documents, Date.parse('2026-11-26T12:00:00Z'), trans);
    const notebook = document('notebook', 'a.ipynb', 'w/mine-00000001/repo/plots/a.ipynb');
    const joined = document('console', session.projectId, 'w/console-1-x');
    expect(purpose(notebook)).toBe('plots/a.ipynb · 01234567');
    expect(purpose(joined)).toBe('Console · 01234567');
    expect(purpose(notebook, document('console', 'Console 2', 'w/console-2-x'))).toBe(
      'plots/a.ipynb, Console 2 · 01234567'
    );
    const others = document('notebook', 'a.ipynb', 'w/mine-00000001/repo/a.ipynb', 'other');
    expect(purpose(others)).toMatch(/^started Nov 24, 2026, .* · 01234567$/);
    // A name is the project's, and could turn around what comes after it.
    expect(purpose(document('console', 'a\u202eb', ''))).toBe('a\\u202eb · 01234567');
  });

  it.each([
    [0, 'memory saved 0 s ago'],
    [-5, 'memory saved 0 s ago'],
    [42, 'memory saved 42 s ago'],
    [60, 'memory saved 1 min ago'],
    [7199, 'memory saved 1 h ago'],
    [3 * 86_400, 'memory saved 3 days ago']
  ])('say how long ago %i seconds are', (seconds, words) => {
    const saved = '2026-11-24T12:00:00.000000Z';
    const now = Date.parse(saved) + seconds * 1000;
    expect(savedInWords(saved, now, trans)).toBe(words);
  });
});
