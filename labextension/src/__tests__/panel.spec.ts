import { describe, expect, it } from '@jest/globals';

import type { IFilter } from '../model/filter';
import { ALL, select, tagsOf } from '../model/filter';
import { ProjectsModel } from '../model/projects';
import { SizesModel } from '../model/sizes';
import { isDueSoon, sizeInWords, timeLeft, timeUntil } from '../model/words';
import { ServerEvents } from '../server/events';
import { parseProject } from '../server/projects';
import { connection, json, Socket } from './support';

const NOW = Date.parse('2026-11-24T12:00:00Z');

const project = (id: string, fields: Record<string, unknown> = {}) =>
  parseProject({ project_id: id, status: 'idle', tags: [], ...fields });

const PROJECTS = [
  project('my-api-00000001', { description: 'Payments', tags: ['work'] }),
  project('notes-00000002', { status: 'active', pinned: true }),
  project('old-00000003', { tags: ['work', 'archive'], status: 'broken' })
];

describe('select', () => {
  it.each<[string, Partial<IFilter>, string[]]>([
    ['all', {}, ['my-api-00000001', 'notes-00000002', 'old-00000003']],
    ['the active', { shown: 'active' }, ['notes-00000002']],
    ['the idle', { shown: 'idle' }, ['my-api-00000001']],
    ['the pinned', { shown: 'pinned' }, ['notes-00000002']],
    ['those with a tag', { tag: 'archive' }, ['old-00000003']],
    ['words of anything', { search: ' PAY  work ' }, ['my-api-00000001']],
    ['no part of a word twice', { search: 'pay notes' }, []]
  ])('finds %s', (_, filter, ids) => {
    const found = select(PROJECTS, { ...ALL, ...filter });
    expect(found.map(({ id }) => id)).toEqual(ids);
  });

  it('knows every tag once', () => {
    expect(tagsOf(PROJECTS)).toEqual(['archive', 'work']);
  });
});

describe('words', () => {
  it.each([
    ['2026-12-24T12:00:00Z', '30 days'],
    ['2026-12-24T11:59:00Z', '30 days'],
    ['2026-11-25T12:00:00Z', '1 day'],
    ['2026-11-25T11:00:00Z', '23 hours'],
    ['2026-11-24T12:01:00Z', '1 minute'],
    ['2026-11-23T12:00:00Z', '0 minutes']
  ])('says of %s that it is in %s', (time, words) => {
    expect(timeLeft(time, NOW)).toBe(words);
    expect(timeUntil(time, NOW)).toBe(`in ${words}`);
  });

  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1500, '1.5 kB'],
    [999_499, '999 kB'],
    [999_999, '1 MB'],
    [25_600_000_000, '26 GB']
  ])('says of %d bytes %s', (bytes, words) => {
    expect(sizeInWords(bytes)).toBe(words);
  });

  it('marks what is due within the days of warning, and nothing that is kept', () => {
    const due = project('a-00000001', { cleanup_at: '2026-11-27T12:00:00Z' });
    expect(isDueSoon(due, NOW, 3)).toBe(true);
    expect(isDueSoon(due, NOW, 2)).toBe(false);
    expect(isDueSoon(project('a-00000001'), NOW, 3)).toBe(false);
  });
});

describe('SizesModel', () => {
  it('asks for what is in view, one after the other and once', async () => {
    const asked: string[] = [];
    let running = 0;
    const settings = connection(async url => {
      expect(++running).toBe(1);
      asked.push(url.split('/').at(-2) ?? '');
      await settled(5);
      running--;
      return json({
        disk: { bytes: 10, complete: false },
        memory: [{ bytes: 1 }, { bytes: 2 }]
      });
    });
    const events = new ServerEvents(settings);
    const sizes = new SizesModel(settings, events);
    sizes.want(['a', 'b', 'c', 'd']);
    await settled(2);
    sizes.want(['a', 'e']);
    await settled(100);
    expect(asked).toEqual(['a', 'e']);
    expect(sizes.of('a')).toEqual({ disk: 10, isComplete: false, memory: 2 });
    expect(sizes.of('b')).toBeUndefined();

    const snapshot = { action: 'snapshot', project_id: 'a', bytes: 7 };
    (await Socket.last()).happens('memory', snapshot);
    expect(sizes.of('a')?.memory).toBe(7);
  });
});

describe('ProjectsModel', () => {
  it('asks again only for the projects that events are about', async () => {
    const old = Socket.made.at(-1);
    const asked: string[] = [];
    const row = (id: string, time: string, status = 'idle') => ({
      project_id: id,
      status,
      last_accessed: time,
      config: {}
    });
    const settings = connection(url => {
      const path = url.replace(/.*\/api\/projects\/?/, '').replace(/\?.*/, '');
      asked.push(path);
      switch (path) {
        case '':
          return json({ projects: [row('a-1', '3'), row('b-2', '2')], total: 2 });
        case 'c-3':
          return json(row('c-3', '4'));
        case 'a-1':
          return json(row('a-1', '3', 'trashed'));
        default:
          return json({ message: 'No.', error: 'project_not_found' }, 404);
      }
    });
    const model = new ProjectsModel(settings, new ServerEvents(settings), 10);
    await model.refresh();
    const socket = await Socket.last(old);
    socket.happens('project', { action: 'created', project_id: 'c-3' });
    socket.happens('project', { action: 'trashed', project_id: 'a-1' });
    socket.happens('session', { action: 'ended', project_id: 'c-3' });
    await settled(100);
    expect(asked).toEqual(['', 'c-3', 'a-1']);
    expect(model.list?.projects.map(({ id }) => id)).toEqual(['c-3', 'b-2']);
    expect(model.list?.total).toBe(2);
    socket.happens('session', { action: 'ended', project_id: 'b-2' });
    await settled(100);
    expect(model.list?.projects.map(({ id }) => id)).toEqual(['c-3']);
    model.dispose();
  });

  it('knows in whose files a path is', async () => {
    const settings = connection(() =>
      json({
        projects: [
          { project_id: 'a-1', contents_path: 'w/a-1/repo' },
          { project_id: 'a-12', contents_path: 'w/a-12/repo' }
        ]
      })
    );
    const model = new ProjectsModel(settings, new ServerEvents(settings));
    await model.refresh();
    expect(model.projectAt('w/a-12/repo/x.ipynb')?.id).toBe('a-12');
    expect(model.projectAt('w/a-1/repo')?.id).toBe('a-1');
    expect(model.projectAt('w/a-1')).toBeUndefined();
    model.dispose();
  });
});

const settled = (milliseconds: number): Promise<void> =>
  new Promise(resolve => setTimeout(resolve, milliseconds));
