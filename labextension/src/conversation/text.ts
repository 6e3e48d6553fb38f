/** What a terminal would show: a carriage return begins the line anew. */
export function overwritten(output: string): string {
  return output.replace(/\r+\n/g, '\n').replace(/^[^\n]*\r(?=[^\n])/gm, '');
}

/** The first line of a text, if there is more, with a mark. */
export function firstLine(text: string, limit = 120): string {
  const [line = ''] = text.trimStart().split('\n', 1);
  const isAll = line.length <= limit && line === text.trim();
  return isAll ? line : `${line.slice(0, limit)} …`;
}

/** The time of day of an event, as people here write it; empty for what is no time. */
export function timeOfDay(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.valueOf())
    ? ''
    : date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

/** `code` as a block of Markdown that nothing in it can end. */
export function fenced(code: string, language: string): string {
  const longest = (code.match(/`+/g) ?? []).reduce(
    (length, ticks) => Math.max(length, ticks.length),
    2
  );
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${code}\n${fence}`;
}
