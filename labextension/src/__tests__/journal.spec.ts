import { afterEach, describe, expect, it } from '@jest/globals';

import { JournalModel } from '../journal/model';
import { ServerEvents } from '../server/events';
import { connection, json, Socket } from './support';

/* eslint jupyter/require-disposable-ownership: off -- none of these outlives its test */

const OF = { projectId: 'my-api-a7b3c2d1', sessionId: 'f0c1' };
const GONE = { message: 'Events 1 and later are not kept any more.', error: 'events_gone' };

/** A server with a journal of `length` messages, of which it gives `page` at once. */
class Journal {
  constructor(
    public length: number,
    public page = 10,
    public first = 1
  ) {}

  trusted: unknown = true;

  readonly asked: number[] = [];

  readonly answer = (url: string): Response => {
    const { pathname, searchParams } = new URL(url);
    if (!pathname.endsWith('/sessions/f0c1/events')) {
      return json({
        project_id: OF.projectId,
        created_at: '',
        config: {},
        statistics: {},
        sessions: [],
        trusted: this.trusted
      });
    }
    const since = Number(searchParams.get('since'));
    this.asked.push(since);
    if (since + 1 < this.first) {
      return json(GONE, 410);
    }
    const count = Math.max(0, Math.min(this.page, this.length - since));
    const events = Array.from({ length: count }, (_, at) => ({
      seq: since + 1 + at,
      event: 'assistant_message',
      content: (since + 1 + at).toString(),
      is_complete: true
    }));
    return json({ events, last_seq: this.length });
  };

  read(): JournalModel {
    const settings = connection(this.answer);
    return new JournalModel(settings, new ServerEvents(settings), OF);
  }
}

/** What is said in the entries. */
function said(model: JournalModel): string[] {
  return model.conversation.entries.map(entry =>
    entry.kind === 'assistant' ? entry.content : entry.kind
  );
}

afterEach(() => {
  Socket.made = [];
});

describe('JournalModel', () => {
  it('reads pages until there are as many entries as are wanted', async () => {
    const journal = new Journal(35);
    const model = journal.read();
    expect(model.isReady).toBe(false);
    await model.read(15);
    expect(journal.asked).toEqual([0, 10]);
    expect(said(model)).toHaveLength(20);
    expect(model.hasMore).toBe(true);
    await model.read(100);
    expect(journal.asked).toEqual([0, 10, 20, 30]);
    expect(said(model)).toHaveLength(35);
    expect(model.hasMore).toBe(false);
    expect(model.isLoading).toBe(false);
    model.dispose();
  });

  it('is ready when there is nothing to read', async () => {
    const model = new Journal(0).read();
    await model.read(10);
    expect(model).toMatchObject({ isReady: true, hasMore: false, error: null });
    model.dispose();
  });

  it('reads what came while the session goes on', async () => {
    const journal = new Journal(3);
    const model = journal.read();
    const socket = await Socket.last();
    await model.read(10);
    journal.length = 5;
    socket.happens('session', {
      action: 'ended',
      project_id: OF.projectId,
      session_id: 'another'
    });
    await settled();
    expect(said(model)).toHaveLength(3);
    socket.happens('session', {
      action: 'ended',
      project_id: OF.projectId,
      session_id: OF.sessionId
    });
    await settled();
    expect(said(model)).toEqual(['1', '2', '3', '4', '5']);
    model.dispose();
  });

  it('follows a session that goes on, without a word and beyond what was wanted', async () => {
    const journal = new Journal(3);
    const model = journal.read();
    const socket = await Socket.last();
    await model.read(3);
    const grows = (length: number, session_id = OF.sessionId): void => {
      journal.length = length;
      const data = { project_id: OF.projectId, session_id, last_seq: length };
      socket.happens('journal', { action: 'grown', ...data });
    };
    grows(4, 'another');
    await settled();
    expect(said(model)).toHaveLength(3);
    let wasLoading = false;
    model.stateChanged.connect(() => {
      wasLoading ||= model.isLoading;
    });
    grows(5);
    await settled();
    expect(said(model)).toHaveLength(5);
    expect(model.wanted).toBeGreaterThanOrEqual(5);
    // What is told while a page is on its way is not forgotten.
    grows(6);
    grows(9);
    await settled();
    expect(said(model)).toHaveLength(9);
    expect(wasLoading).toBe(false);
    // Lies, which anybody may post to the bus, lead to one question each.
    const before = journal.asked.length;
    grows(9);
    await settled();
    expect(journal.asked).toHaveLength(before + 1);
    model.dispose();
  });

  it('leaves it to the reader to read on where not all was read', async () => {
    const journal = new Journal(35);
    const model = journal.read();
    const socket = await Socket.last();
    await model.read(5);
    socket.happens('journal', {
      action: 'grown',
      project_id: OF.projectId,
      session_id: OF.sessionId,
      last_seq: 1e15
    });
    await settled();
    expect([said(model).length, model.hasMore]).toEqual([10, true]);
    model.dispose();
  });

  it('begins as far back as events are kept', async () => {
    const journal = new Journal(20_000, 5000, 19_500);
    const model = journal.read();
    await model.read(10);
    expect(model.isBeginningGone).toBe(true);
    expect(model.error).toBeNull();
    expect(journal.asked).toEqual([0, 1e15, 15_904, 18_976, 19_744]);
    expect(said(model)).toHaveLength(256);
    expect(said(model).at(-1)).toBe('20000');
    model.dispose();
  });

  it('says why it could not read, and reads on when it can', async () => {
    const journal = new Journal(30);
    let isAway = false;
    const settings = connection(url =>
      isAway ? json({ message: 'Not now.', error: 'locked' }, 503) : journal.answer(url)
    );
    const model = new JournalModel(settings, new ServerEvents(settings), OF);
    await model.read(5);
    isAway = true;
    await model.read(25);
    expect(model.error?.message).toBe('Not now.');
    expect(said(model)).toHaveLength(10);
    isAway = false;
    await model.read(25);
    expect(model.error).toBeNull();
    expect(said(model)).toHaveLength(30);
    model.dispose();
  });

  it.each([[true], [false], ['yes'], [undefined]])(
    'trusts the outputs only if the server says so: %p',
    async trusted => {
      const journal = new Journal(1);
      journal.trusted = trusted;
      const model = journal.read();
      expect(model.isTrusted).toBe(false);
      await model.read(1);
      expect(model.isTrusted).toBe(trusted === true);
      model.dispose();
    }
  );

  it('follows whether the project is trusted', async () => {
    const journal = new Journal(1);
    const model = journal.read();
    const socket = await Socket.last();
    await model.read(1);
    expect(model.isTrusted).toBe(true);
    socket.happens('project', { action: 'distrusted', project_id: OF.projectId });
    expect(model.isTrusted).toBe(false);
    socket.happens('project', { action: 'trusted', project_id: OF.projectId });
    await settled();
    expect(model.isTrusted).toBe(true);
    // The answer to the first is out of date when it comes.
    socket.happens('project', { action: 'trusted', project_id: OF.projectId });
    socket.happens('project', { action: 'distrusted', project_id: OF.projectId });
    await settled();
    expect(model.isTrusted).toBe(false);
    model.dispose();
  });
});

function settled(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 60));
}
