/** Virtual paths as the server writes them: percent-encoded, absolute. */

/** Characters that would break a line, or turn the direction of the text around. */
const TREACHEROUS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** A name for reading: what would make it look like another one is shown as an escape. */
export function shownName(name: string): string {
  return name.replace(
    TREACHEROUS,
    character =>
      `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  );
}

/** The path of something in a directory, by the name or path that the user has typed. */
export function pathIn(directory: string, typed: string): string {
  const parts = typed.split('/').map(encodeURIComponent);
  return `${directory.replace(/\/$/, '')}/${parts.join('/')}`;
}

/** Whether the user can have meant `typed` as a name or path below a directory. */
export function isName(typed: string): boolean {
  return (
    !typed.includes('\0') &&
    typed.split('/').every(part => !['', '.', '..'].includes(part))
  );
}

/** The directory that something is in, with a closing slash. */
export function parentOf(path: string): string {
  return path.replace(/[^/]*\/?$/, '');
}

/** The last part of a path, to be read. */
export function nameOf(path: string): string {
  const name = /([^/]*)\/?$/.exec(path)?.[1] ?? '';
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // not UTF-8
  }
}

/** All directories from `top` (with a closing slash) down to the one that `path` is in. */
export function directoriesTo(path: string, top: string): string[] {
  const parts = parentOf(path).slice(top.length).split('/').filter(Boolean);
  return [
    top,
    ...parts.map((_, i) => `${top}${parts.slice(0, i + 1).join('/')}`)
  ];
}

/** A path, to be read. */
export function readable(path: string): string {
  return shownName(path.split('/').map(nameOf).join('/'));
}
