import type { TranslationBundle } from '@jupyterlab/translation';
import {
  caretDownIcon,
  caretRightIcon,
  fileIcon,
  folderIcon,
  imageIcon,
  linkIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import { describe } from '../failure';
import { sizeInWords } from '../model/words';
import { imageType } from './content';
import { shownName } from './paths';
import type { IRow, Note } from './tree';

/** What a row of the tree is made of. */
export interface ITreeRowProps {
  readonly row: IRow;

  /** Whether the keyboard is at it, and whether it is the file that is open. */
  readonly isActive: boolean;
  readonly isOpen: boolean;
  readonly trans: TranslationBundle;
  readonly onActivate: () => void;
  readonly onOpen: () => void;
  readonly onDragOver: (event: React.DragEvent) => void;
  readonly onDrop: (event: React.DragEvent) => void;
}

/** One line of the tree. */
export function TreeRow(props: ITreeRowProps): React.JSX.Element {
  const { row, isActive, isOpen, trans } = props;
  const node = React.useRef<HTMLLIElement>(null);
  const [isTarget, setIsTarget] = React.useState(false);
  React.useEffect(() => {
    // The arrows move the focus, but nothing takes it from elsewhere.
    const tree = node.current?.parentElement;
    if (isActive && tree?.contains(document.activeElement)) {
      node.current?.focus();
    }
  }, [isActive]);
  const classes = [
    'jp-CognitionMemory-row',
    ...(row.kind === 'note' ? ['jp-CognitionMemory-rowNote'] : []),
    ...(isTarget ? ['jp-CognitionMemory-dropTarget'] : [])
  ];
  return (
    <li
      ref={node}
      role="treeitem"
      className={classes.join(' ')}
      tabIndex={isActive ? 0 : -1}
      aria-level={row.depth + 1}
      aria-posinset={row.position}
      aria-setsize={row.setSize}
      aria-expanded={row.expanded ?? undefined}
      aria-selected={isOpen}
      data-path={row.kind === 'note' ? undefined : row.path}
      style={{ '--depth': row.depth } as React.CSSProperties}
      onClick={props.onOpen}
      onContextMenu={props.onActivate}
      onFocus={props.onActivate}
      onDragEnter={() => {
        setIsTarget(true);
      }}
      onDragLeave={() => {
        setIsTarget(false);
      }}
      onDragOver={event => {
        props.onDragOver(event);
        setIsTarget(true);
      }}
      onDrop={event => {
        setIsTarget(false);
        props.onDrop(event);
      }}
    >
      {row.note === null ? <Entry row={row} trans={trans} /> : noteText(row.note, trans)}
    </li>
  );
}

function Entry({ row, trans }: Pick<ITreeRowProps, 'row' | 'trans'>): React.JSX.Element {
  const { entry, expanded, kind, route } = row;
  const name = route === null ? shownName(entry?.name ?? '') : route.prefix;
  const size = detail(row, trans);
  const caret = expanded === true ? caretDownIcon : caretRightIcon;
  const icon =
    expanded !== null
      ? folderIcon
      : kind === 'link'
        ? linkIcon
        : imageType(name) !== null
          ? imageIcon
          : fileIcon;
  return (
    <>
      <span className="jp-CognitionMemory-caret" aria-hidden="true">
        {expanded !== null && <caret.react tag="span" width="16px" />}
      </span>
      <icon.react tag="span" className="jp-CognitionMemory-icon" width="16px" />
      <span className="jp-CognitionMemory-name" title={name}>
        {name}
      </span>
      <span className="jp-CognitionMemory-size" title={size}>
        {size}
      </span>
    </>
  );
}

function detail({ entry, route }: IRow, trans: TranslationBundle): string {
  const files = route?.files ?? null;
  if (route !== null && files !== null) {
    const count = trans._n('%1 file', '%1 files', files);
    const size = sizeInWords(route.bytes ?? 0);
    return route.truncated
      ? trans.__('more than %1, %2', count, size)
      : `${count}, ${size}`;
  }
  if (entry?.type === 'link') {
    return trans.__('link');
  }
  const size = entry?.size ?? null;
  return size === null ? '' : sizeInWords(size);
}

function noteText(note: Note, trans: TranslationBundle): string {
  switch (note.kind) {
    case 'loading':
      return trans.__('Loading…');
    case 'empty':
      return trans.__('Empty');
    case 'truncated':
      return trans.__('There is more than the server lists.');
    case 'no-session':
      return trans.__('Private to a session, and none is live.');
    case 'more':
      return trans._n('Show more (%1 is left)', 'Show more (%1 are left)', note.count);
    case 'failed':
      return describe(note.error, trans);
  }
}
