import { expect, describe, it, afterEach } from '@jest/globals';

import { ServerEvents } from '../server/events';
import { harmless } from '../trust/guard';
import { TrustModel, mayRun, worst } from '../trust/model';
import { Socket, connection, json } from './support';

const MINE = 'mine-00000001';
const THEIRS = 'theirs-00000002';
const FOLDER = { [MINE]: `work/${MINE}/repo`, [THEIRS]: `work/${THEIRS}/repo` };

/** A server that has two projects, of which it trusts one. */
function server(trusted: Record<string, unknown>): {
  model: TrustModel;
  asked: string[];
} {
  const asked: string[] = [];
  const settings = connection(url => {
    const id = url.replace(/\?.*/, '').split('/').at(-1) ?? '';
    asked.push(id);
    return id in FOLDER
      ? json({
          project_id: id,
          contents_path: FOLDER[id as typeof MINE],
          trusted: trusted[id]
        })
      : json({ message: 'None.', error: 'project_not_found' }, 404);
  });
  return { model: new TrustModel(settings, new ServerEvents(settings)), asked };
}

async function known(model: TrustModel, path: string): Promise<string> {
  expect(mayRun(model.ofPath(path))).toBe(false);
  await model.whenKnown(path);
  return model.ofPath(path);
}

describe('TrustModel', () => {
  afterEach(() => {
    Socket.made = [];
  });

  it('asks the server, and takes nothing else than true for trust', async () => {
    const { model } = server({ [MINE]: true, [THEIRS]: false });
    expect(await known(model, `${FOLDER[MINE]}/a/b.ipynb`)).toBe('trusted');
    expect(await known(model, `${FOLDER[THEIRS]}/b.ipynb`)).toBe('untrusted');
    for (const wrong of ['true', 1, null, undefined]) {
      const odd = server({ [MINE]: wrong }).model;
      expect(await known(odd, FOLDER[MINE])).toBe('untrusted');
    }
  });

  it('asks nothing about what can be in no project', () => {
    const { model, asked } = server({});
    for (const path of ['', 'a.ipynb', `work/${MINE}`, `work/${MINE}/other/a`]) {
      expect(model.ofPath(path)).toBe('none');
    }
    expect(asked).toEqual([]);
  });

  it('goes by the outermost project, with or without a drive', async () => {
    const { model } = server({ [MINE]: true, [THEIRS]: false });
    const inner = `${FOLDER[THEIRS]}/${FOLDER[MINE]}/a.ipynb`;
    expect(await known(model, inner)).toBe('untrusted');
    expect(await known(model, `RTC:${FOLDER[MINE]}/a.ipynb`)).toBe('trusted');
    expect(model.ofPath(`/${FOLDER[MINE]}`)).toBe('trusted');
    expect(model.ofPath(`./work//${THEIRS}/./repo/a.ipynb`)).toBe('untrusted');
  });

  it('does not trust what is open of a project because it was deleted', async () => {
    const answers = [
      json({ project_id: THEIRS, contents_path: FOLDER[THEIRS], trusted: false })
    ];
    const settings = connection(
      () => answers.pop() ?? json({ message: 'None.', error: 'project_not_found' }, 404)
    );
    const model = new TrustModel(settings, new ServerEvents(settings));
    expect(await known(model, FOLDER[THEIRS])).toBe('untrusted');
    await model.refresh(THEIRS);
    expect(model.ofPath(FOLDER[THEIRS])).toBe('untrusted');
    expect(model.ofProject(THEIRS)).toBe('untrusted');
    await model.refresh(MINE);
    expect(mayRun(model.ofProject(MINE))).toBe(false);
  });

  it('leaves copies elsewhere and folders of no project to Jupyter', async () => {
    const { model } = server({ [MINE]: true });
    expect(await known(model, `backup/${MINE}/repo/a.ipynb`)).toBe('none');
    expect(await known(model, 'data-12345678/repo/a.ipynb')).toBe('none');
    const inner = `data-12345678/repo/${FOLDER[MINE]}`;
    expect(model.projectOf(inner)).toBeNull();
  });

  it('trusts nothing while the server can not be asked, and asks again', async () => {
    const answers = [json({ message: 'Locked.', error: 'locked' }, 503)];
    const settings = connection(
      () =>
        answers.pop() ??
        json({ project_id: MINE, contents_path: FOLDER[MINE], trusted: true })
    );
    const model = new TrustModel(settings, new ServerEvents(settings));
    const path = FOLDER[MINE];
    expect(model.ofPath(path)).toBe('unknown');
    await model.whenKnown(path, 50);
    expect(model.ofPath(path)).toBe('unknown');
    await model.whenKnown(path);
    expect(model.ofPath(path)).toBe('trusted');
  });

  it('does not take the word of the event bus, on which anyone can post', async () => {
    const { model, asked } = server({ [THEIRS]: false });
    expect(await known(model, FOLDER[THEIRS])).toBe('untrusted');
    const before = asked.length;
    const changed = new Promise(resolve => {
      model.changed.connect(resolve);
    });
    const socket = await Socket.last();
    socket.open();
    socket.happens('project', {
      action: 'trusted',
      project_id: THEIRS,
      trusted: true
    });
    await changed;
    expect(asked.length).toBeGreaterThan(before);
    expect(model.ofPath(FOLDER[THEIRS])).toBe('untrusted');
  });

  it('knows which of two is worse', () => {
    expect(worst('none', 'trusted')).toBe('trusted');
    expect(worst('trusted', 'unknown')).toBe('unknown');
    expect(worst('untrusted', 'unknown')).toBe('untrusted');
  });
});

describe('harmless', () => {
  it('leaves only what runs nothing, also of what calls itself safe', () => {
    const bundle = {
      'text/html': '<b>1</b>',
      'text/plain': '1',
      'image/png': '',
      'image/svg+xml': '<svg/>',
      'application/javascript': '1',
      'application/vnd.jupyter.stderr': '1',
      'application/vnd.vegalite.v5+json': {},
      'application/geo+json': {},
      'x-text/html': ''
    };
    expect(Object.keys(harmless(bundle))).toEqual([
      'text/html',
      'text/plain',
      'image/png',
      'application/vnd.jupyter.stderr'
    ]);
  });
});
