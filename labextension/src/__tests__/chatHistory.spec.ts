import { describe, expect, it } from '@jest/globals';

import { InputHistory } from '../chat/history';

describe('InputHistory', () => {
  const said = ['one', 'two'];

  it('walks back, not beyond the beginning, and forth to the draft', () => {
    const history = new InputHistory();
    expect(history.next(said, 'draft')).toBeNull();
    expect(history.previous(said, 'draft')).toBe('two');
    expect(history.previous(said, 'two')).toBe('one');
    expect(history.previous(said, 'one')).toBeNull();
    expect(history.next(said, 'one')).toBe('two');
    expect(history.next(said, 'two')).toBe('draft');
    expect(history.next(said, 'draft')).toBeNull();
  });

  it('takes what was changed for a draft', () => {
    const history = new InputHistory();
    expect(history.previous(said, '')).toBe('two');
    expect(history.next(said, 'two!')).toBeNull();
    expect(history.previous(said, 'two!')).toBe('two');
    expect(history.next(said, 'two')).toBe('two!');
  });

  it('has nothing at first', () => {
    expect(new InputHistory().previous([], 'draft')).toBeNull();
  });
});
