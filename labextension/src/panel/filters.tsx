import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect, InputGroup } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IFilter, Shown } from '../model/filter';
import { SHOWN } from '../model/filter';

/** Above the list: what to look for, and what kind of projects are shown. */
export function Filters(props: {
  readonly filter: IFilter;
  readonly tags: readonly string[];
  readonly trans: TranslationBundle;
  readonly onChange: (filter: IFilter) => void;

  /** The user wants to go on to what was found. */
  readonly onLeave: () => void;
}): React.JSX.Element {
  const { filter, onChange, onLeave, tags, trans } = props;
  const names: Record<Shown, string> = {
    all: trans.__('All'),
    active: trans.__('Active'),
    idle: trans.__('Idle'),
    pinned: trans.__('Pinned'),
    trashed: trans.__('Trash')
  };
  return (
    <div
      role="search"
      aria-label={trans.__('Filter the projects')}
      className="jp-CognitionProjects-filters"
    >
      <InputGroup
        type="search"
        rightIcon="ui-components:search"
        placeholder={trans.__('Search')}
        aria-label={trans.__('Search names, descriptions and tags')}
        value={filter.search}
        onChange={event => {
          onChange({ ...filter, search: event.target.value });
        }}
        onKeyDown={event => {
          if (event.key === 'ArrowDown') {
            event.preventDefault();
            onLeave();
          }
        }}
      />
      <HTMLSelect
        aria-label={trans.__('Which projects are shown')}
        value={filter.shown}
        onChange={event => {
          onChange({ ...filter, shown: event.target.value as Shown, tag: null });
        }}
        options={SHOWN.map(value => ({ value, label: names[value] }))}
      />
      {(tags.length > 0 || filter.tag !== null) && (
        <HTMLSelect
          aria-label={trans.__('Tag')}
          value={filter.tag ?? ''}
          onChange={event => {
            onChange({ ...filter, tag: event.target.value || null });
          }}
          options={[
            { value: '', label: trans.__('Any tag') },
            ...[...new Set(filter.tag === null ? tags : [filter.tag, ...tags])].map(
              tag => ({ value: tag, label: tag })
            )
          ]}
        />
      )}
    </div>
  );
}
