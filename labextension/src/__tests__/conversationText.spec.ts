import { describe, expect, it } from '@jest/globals';

import { fenced, firstLine, overwritten, timeOfDay } from '../conversation/text';

describe('overwritten', () => {
  it.each([
    [' 10 %\r 50 %\r100 %\nready', '100 %\nready'],
    ['a\r\nb\r\r\nc', 'a\nb\nc'],
    [' 10 %\r', ' 10 %\r'],
    ['plain\n\ntext', 'plain\n\ntext']
  ])('shows of %j what a terminal would', (output, shown) => {
    expect(overwritten(output)).toBe(shown);
  });
});

describe('fenced', () => {
  it.each(['x = 1', '```\nnot the end\n```', '`````'])(
    'lets nothing in %j end the block',
    code => {
      const [fence = '', ...lines] = fenced(code, '').split('\n');
      expect(lines.pop()).toBe(fence);
      expect(lines.join('\n')).toBe(code);
      expect(code).not.toContain(fence);
    }
  );
});

describe('firstLine', () => {
  it.each([
    ['one', 'one'],
    ['\none\n', 'one'],
    ['one\ntwo', 'one …'],
    ['x'.repeat(9), 'xxxx …']
  ])('of %j is %j', (text, line) => {
    expect(firstLine(text, 4)).toBe(line);
  });
});

describe('timeOfDay', () => {
  it('is empty for what is no time', () => {
    expect(timeOfDay('2026-11-24T12:34:00Z')).toMatch(/34/);
    expect(timeOfDay('')).toBe('');
  });
});
