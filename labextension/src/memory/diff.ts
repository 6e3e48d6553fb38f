/** One line of a unified diff, its mark included. */
export interface IDiffLine {
  readonly kind: 'added' | 'removed' | 'same' | 'hunk';
  readonly text: string;
}

/** A unified diff of one file, without the names at its head. */
export interface IDiff {
  readonly lines: readonly IDiffLine[];
  readonly added: number;
  readonly removed: number;
}

const HUNK = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;

/**
 * Sort the lines of a unified diff. A hunk says how many lines it has, so that a removed line
 * `-- x` is none of the names, which come as `--- x`.
 */
export function parseDiff(diff: string): IDiff {
  const lines: IDiffLine[] = [];
  let [before, after, added, removed] = [0, 0, 0, 0];
  for (const text of diff.replace(/\n$/, '').split('\n')) {
    const hunk = before + after > 0 ? null : HUNK.exec(text);
    if (hunk) {
      before = Number(hunk[1] ?? 1);
      after = Number(hunk[2] ?? 1);
      lines.push({ kind: 'hunk', text });
    } else if (text.startsWith('\\')) {
      lines.push({ kind: 'hunk', text });
    } else if (before + after > 0) {
      const kind = text.startsWith('+')
        ? 'added'
        : text.startsWith('-')
          ? 'removed'
          : 'same';
      before -= kind === 'added' ? 0 : 1;
      after -= kind === 'removed' ? 0 : 1;
      added += kind === 'added' ? 1 : 0;
      removed += kind === 'removed' ? 1 : 0;
      lines.push({ kind, text });
    }
  }
  return { lines, added, removed };
}
