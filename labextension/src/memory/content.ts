/** What can be done with the bytes of a file. */

/** Types of images that browsers show; none of them runs anything as the source of an `img`. */
const IMAGES: Readonly<Record<string, string>> = {
  avif: 'image/avif',
  bmp: 'image/bmp',
  gif: 'image/gif',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  png: 'image/png',
  svg: 'image/svg+xml',
  webp: 'image/webp'
};

/** Bytes that are loaded at most: an editor gets slow before a picture does. */
export const TEXT_LIMIT = 1 << 20;
export const IMAGE_LIMIT = 8 << 20;

/** The mime type of an image by its name; null for anything else. */
export function imageType(name: string): string | null {
  const extension = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(IMAGES, extension) ? (IMAGES[extension] ?? null) : null;
}

/** A text for an editor, whose lines end in `\n`. */
export interface IText {
  readonly text: string;

  /** How lines end in the file. */
  readonly lineEnd: '\n' | '\r\n';

  /** Whether it can be written back as it was; not if its lines end in different ways. */
  readonly editable: boolean;
}

/** The text in a file of UTF-8; null when it is something else. */
export function decode(bytes: Uint8Array): IText | null {
  let raw: string;
  try {
    raw = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
  if (raw.includes('\0')) {
    return null;
  }
  const text = raw.replace(/\r\n?/g, '\n');
  const lineEnd = raw.includes('\r\n') ? '\r\n' : '\n';
  return { text, lineEnd, editable: encode(text, lineEnd) === raw };
}

/** The opposite of `decode`. */
export function encode(text: string, lineEnd: IText['lineEnd']): string {
  return lineEnd === '\n' ? text : text.replace(/\n/g, lineEnd);
}

/** The one place where two texts differ: put `text` between `start` and `end` of the old one. */
export function difference(
  old: string,
  now: string
): { start: number; end: number; text: string } {
  const most = Math.min(old.length, now.length);
  let start = 0;
  while (start < most && old[start] === now[start]) {
    start += 1;
  }
  let same = 0;
  while (same < most - start && old.at(-1 - same) === now.at(-1 - same)) {
    same += 1;
  }
  return {
    start,
    end: old.length - same,
    text: now.slice(start, now.length - same)
  };
}
