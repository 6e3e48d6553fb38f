import { describe, expect, it } from '@jest/globals';

import { decode, difference, encode, imageType } from '../memory/content';
import { parseDiff } from '../memory/diff';
import { directoriesTo, isName, nameOf, parentOf, pathIn, shownName } from '../memory/paths';

describe('paths', () => {
  it('quotes what is typed, and refuses ways up', () => {
    expect(pathIn('/memories/hot/', 'a b/100%.md')).toBe('/memories/hot/a%20b/100%25.md');
    expect(pathIn('/memories/hot/a', '?#')).toBe('/memories/hot/a/%3F%23');
    expect(isName('plans/today.md')).toBe(true);
    for (const name of ['', '/x', 'x/', '..', 'a/../b', './x', 'a//b', 'a\0b']) {
      expect(isName(name)).toBe(false);
    }
  });

  it('knows parents and names, of names that are no UTF-8, too', () => {
    expect(parentOf('/memories/hot/a/b')).toBe('/memories/hot/a/');
    expect(parentOf('/memories/hot/a/')).toBe('/memories/hot/');
    expect(nameOf('/memories/hot/a%20b')).toBe('a b');
    expect(nameOf('/memories/hot/%FF')).toBe('%FF');
    expect(directoriesTo('/memories/hot/a/b/c', '/memories/hot/')).toEqual([
      '/memories/hot/',
      '/memories/hot/a',
      '/memories/hot/a/b'
    ]);
  });

  it('shows what would turn a name around', () => {
    expect(shownName('a\u202egnp.exe\n')).toBe('a\\u202egnp.exe\\u000a');
    expect(shownName('naïve 👩‍🚀.md')).toBe('naïve 👩‍🚀.md');
  });
});

describe('content', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  it('gives back every text as it was, or does not let it be edited', () => {
    for (const raw of ['', 'a\nb', 'a\r\nb\r\n', '\ufeffa\n', 'ä\n']) {
      const text = decode(bytes(raw));
      expect(text?.editable).toBe(true);
      expect(encode(text?.text ?? '', text?.lineEnd ?? '\n')).toBe(raw);
    }
    for (const raw of ['a\r\nb\n', 'a\rb']) {
      expect(decode(bytes(raw))?.editable).toBe(false);
    }
  });

  it('takes nothing for text that is none', () => {
    expect(decode(new Uint8Array([0xff, 0xfe]))).toBeNull();
    expect(decode(bytes('a\0b'))).toBeNull();
  });

  it('knows images by their names', () => {
    expect(imageType('a.PNG')).toBe('image/png');
    expect(imageType('a.html')).toBeNull();
    expect(imageType('a.constructor')).toBeNull();
    expect(imageType('png')).toBeNull();
  });

  it.each([
    ['', ''],
    ['abc', 'abc'],
    ['abc', 'abXc'],
    ['aaa', 'aa'],
    ['aa', 'aaa'],
    ['abc', '']
  ])('changes %j to %j in one place', (old, now) => {
    const { start, end, text } = difference(old, now);
    expect(end).toBeGreaterThanOrEqual(start);
    expect(old.slice(0, start) + text + old.slice(end)).toBe(now);
  });
});

describe('parseDiff', () => {
  it('takes changed lines that look like heads for what they are', () => {
    const diff = parseDiff(
      '--- a/x\n+++ b/x\n@@ -1,3 +1,2 @@\n same\n--- old\n+++ new\n-gone\n\\ No newline at end of file\n'
    );
    expect([diff.added, diff.removed]).toEqual([1, 2]);
    expect(diff.lines.map(line => line.kind)).toEqual([
      'hunk',
      'same',
      'removed',
      'added',
      'removed',
      'hunk'
    ]);
  });

  it('reads what has no lines on one side, and several hunks', () => {
    const added = parseDiff('--- /dev/null\n+++ b/x\n@@ -0,0 +1,2 @@\n+a\n+b\n');
    expect([added.added, added.removed, added.lines.length]).toEqual([2, 0, 3]);
    const two = parseDiff('--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n@@ -9 +9 @@\n-c\n+d\n');
    expect([two.added, two.removed, two.lines.length]).toEqual([2, 2, 6]);
    expect(parseDiff('').lines).toEqual([]);
  });
});
