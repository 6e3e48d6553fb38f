import { describe, expect, it, jest } from '@jest/globals';

import type { ILimits } from '../conversation/model';
import { Conversation } from '../conversation/model';

/* eslint jupyter/require-disposable-ownership: off -- none of these outlives its test */

const TIME = '2026-11-24T12:00:00.000000Z';

/** A conversation of `events`, numbered and timed. */
function conversation(
  events: readonly Record<string, unknown>[],
  limits: Partial<ILimits> = {}
): Conversation {
  const model = new Conversation(limits);
  events.forEach((event, at) => {
    model.push({ seq: at + 1, time: TIME, session_id: 's', ...event });
  });
  return model;
}

const output = (chunk: string, stream = 'stdout'): Record<string, unknown> => ({
  event: 'tool_output',
  tool: 'python',
  stream,
  chunk
});

const start = (input: unknown, tool = 'python'): Record<string, unknown> => ({
  event: 'tool_start',
  tool,
  input
});

const end = (exitCode: number | null, tool = 'python'): Record<string, unknown> => ({
  event: 'tool_end',
  tool,
  exit_code: exitCode,
  artifacts: []
});

const answer = (content: string, isComplete: boolean): Record<string, unknown> => ({
  event: 'assistant_message',
  content,
  is_complete: isComplete
});

describe('Conversation', () => {
  it('folds the events of a run into one block', () => {
    const image = { data: { 'image/png': 'aGk=' }, metadata: { width: 3 } };
    const { entries, lastSeq, isWorking } = conversation([
      { event: 'session_started', network_mode: 'OFF', resumed: false },
      { event: 'agent_ready' },
      start('print(1)'),
      output('1'),
      output('\n'),
      output('oh', 'stderr'),
      output('2'),
      { ...end(0), artifacts: [image, { metadata: {} }, 'nonsense'] },
      { event: 'tests_finished', exit_code: 1, summary: '1 failed' },
      { event: 'diff_applied', files_changed: ['a.py', 3], diff_preview: '+a' },
      { event: 'done' }
    ]);
    expect(lastSeq).toBe(11);
    expect(isWorking).toBe(false);
    expect(entries).toEqual([
      { key: 0, time: TIME, kind: 'notice', notice: 'started', code: '', message: '' },
      {
        key: 1,
        time: TIME,
        kind: 'tool',
        tool: 'python',
        input: 'print(1)',
        output: [
          { stream: 'stdout', text: '1\n' },
          { stream: 'stderr', text: 'oh' },
          { stream: 'stdout', text: '2' }
        ],
        omitted: 0,
        artifacts: [image],
        state: 'ended',
        exitCode: 0
      },
      { key: 2, time: TIME, kind: 'tests', exitCode: 1, summary: '1 failed' },
      { key: 3, time: TIME, kind: 'diff', files: ['a.py'], preview: '+a' }
    ]);
  });

  it('puts parts of an answer together, and takes the whole when it comes', () => {
    const model = conversation([answer('Hel', false), answer('lo', false)]);
    expect(model.entries).toMatchObject([{ content: 'Hello', isComplete: false }]);
    expect(model.isWorking).toBe(true);
    model.push({ seq: 3, ...answer('Hello.', true) });
    model.push({ seq: 4, ...answer('More', true) });
    expect(model.entries).toMatchObject([
      { content: 'Hello.', isComplete: true },
      { content: 'More', isComplete: true }
    ]);
  });

  it('keeps a tool within a tool apart', () => {
    const { entries } = conversation([
      start({ task: 'look' }, 'task'),
      start({ path: 'a' }, 'read_file'),
      { ...output('text'), tool: 'read_file' },
      end(0, 'read_file'),
      { ...output('found'), tool: 'task' },
      end(null, 'task')
    ]);
    expect(entries).toMatchObject([
      {
        tool: 'task',
        input: '{\n  "task": "look"\n}',
        output: [{ text: 'found' }],
        state: 'ended',
        exitCode: null
      },
      { tool: 'read_file', output: [{ text: 'text' }], exitCode: 0 }
    ]);
  });

  it('shows output whose beginning is not known', () => {
    const { entries } = conversation([output('late'), end(0)]);
    expect(entries).toMatchObject([
      { tool: 'python', input: '', output: [{ text: 'late' }], state: 'ended' }
    ]);
  });

  it('stops what runs when the turn or the session is over', () => {
    const model = conversation([
      start('while True: pass'),
      { event: 'error', code: 'cancelled', message: 'The turn was cancelled.' },
      { event: 'done' },
      answer('I thi', false),
      { event: 'session_restarted', reason: 'crashed' },
      { event: 'session_ended', reason: 'idle' }
    ]);
    expect(model.isEnded).toBe(true);
    expect(model.isWorking).toBe(false);
    expect(model.entries).toMatchObject([
      { kind: 'tool', state: 'stopped', exitCode: null },
      { notice: 'error', code: 'cancelled', message: 'The turn was cancelled.' },
      { kind: 'assistant', content: 'I thi', isComplete: true },
      { notice: 'restarted', code: 'crashed' },
      { notice: 'ended', code: 'idle' }
    ]);
    model.push({ seq: 7, event: 'session_started', resumed: true });
    expect(model.isEnded).toBe(false);
    expect(model.session).toMatchObject({ resumed: true });
  });

  it('takes each number once, and nothing for an entry that has none', () => {
    const model = conversation([answer('One', true)]);
    const changes = jest.fn();
    model.stateChanged.connect(changes);
    model.push({ seq: 1, ...answer('Again', true) });
    expect(changes).not.toHaveBeenCalled();
    model.push({ event: 'session_started', last_seq: 1 });
    model.push({ event: 'agent_ready' });
    model.push({ event: 'ping' });
    for (const odd of [null, 7, 'ping', [], {}, { event: 'tool_end', seq: 'x' }]) {
      model.push(odd);
    }
    expect(model.entries).toHaveLength(2);
    expect(model.session).toMatchObject({ last_seq: 1 });
    expect(model.lastSeq).toBe(1);
  });

  it('has one line for the progress of a start', () => {
    const model = new Conversation();
    model.push({ event: 'progress', stage: 'clone', detail: '10 %' });
    model.push({ event: 'progress', stage: 'container', detail: 'starting' });
    expect(model.entries).toMatchObject([
      { notice: 'progress', code: 'container', message: 'starting' }
    ]);
  });

  it('works from the question to the end of its turn', () => {
    const model = new Conversation();
    model.push({ seq: 1, event: 'user_message', content: 'Why?' });
    expect(model.isWorking).toBe(true);
    model.push({ event: 'error', code: 'busy', message: 'Wait.' });
    expect(model.isWorking).toBe(true);
    model.push({ seq: 2, event: 'done' });
    expect(model.isWorking).toBe(false);
    expect(model.entries).toMatchObject([
      { kind: 'user', content: 'Why?' },
      { kind: 'notice', code: 'busy' }
    ]);
  });

  it('keeps the end of an output', () => {
    const { entries } = conversation(
      [start('x'), output('a'.repeat(300)), output('b'.repeat(50), 'stderr'), output('c')],
      { text: 300 }
    );
    const [tool] = entries;
    if (tool?.kind !== 'tool') {
      throw new Error('no tool');
    }
    const all = tool.output.map(({ text }) => text).join('');
    expect(all).toMatch(/^a+b{50}c$/);
    expect(all.length).toBeLessThan(300);
    expect(all.length + tool.omitted).toBe(351);
  });

  it('keeps the beginning of what was said', () => {
    const parts = Array.from({ length: 20 }, () => answer('x'.repeat(10), false));
    const { entries } = conversation(parts, { text: 100 });
    expect(entries).toMatchObject([{ content: `${'x'.repeat(100)}…` }]);
  });

  it.each<[string, Partial<ILimits>, number]>([
    ['entries', { entries: 3 }, 3],
    ['characters', { characters: 700 }, 4],
    ['anything but the newest', { characters: 1 }, 1]
  ])('drops the oldest when there is too much of %s', (_, limits, kept) => {
    const answers = Array.from({ length: 10 }, (_, at) =>
      answer(at.toString().repeat(100), true)
    );
    const model = conversation(answers, limits);
    expect(model.entries).toHaveLength(kept);
    expect(model.dropped).toBe(10 - kept);
    expect(model.entries.at(-1)).toMatchObject({ content: '9'.repeat(100) });
    expect(new Set(model.entries.map(({ key }) => key)).size).toBe(kept);
  });

  it('gives entries that stay as they were', () => {
    const model = conversation([start('x'), output('a')]);
    const [before] = model.entries;
    model.push({ seq: 3, ...output('b') });
    expect(before).toMatchObject({ output: [{ text: 'a' }] });
    expect(model.entries).toMatchObject([{ key: 0, output: [{ text: 'ab' }] }]);
  });
});
