import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { INewProject } from '../server/changes';
import type { NetworkMode } from '../server/projects';
import type { ITemplate } from '../server/templates';
import type { FormValues } from './form';
import { Field, FormBody, PrefixField } from './form';

/** What the source field holds for a repository; no template has such a name. */
const REPOSITORY = '/repository';

/** The body of the dialog for a new project. */
export class CreateBody extends FormBody {
  constructor(options: CreateBody.IOptions) {
    super();
    this._options = options;
  }

  /** What was asked for. */
  static project(values: FormValues): INewProject {
    const { container_image, description, network_mode, repo_url, source } = values;
    const tags = parseTags(values.tags ?? '');
    return {
      user_prefix: values.user_prefix ?? '',
      ...(source === REPOSITORY
        ? { repo_url: repo_url?.trim() }
        : source && { template: source }),
      // What is named wins over the template.
      ...(network_mode && { network_mode: network_mode as NetworkMode }),
      ...(container_image?.trim() && { container_image: container_image.trim() }),
      ...(description?.trim() && { description: description.trim() }),
      ...(tags.length > 0 && { tags })
    };
  }

  protected override renderFields(): React.JSX.Element {
    return <Fields {...this._options} />;
  }

  private readonly _options: CreateBody.IOptions;
}

/** A namespace for `CreateBody` statics. */
export namespace CreateBody {
  /** The options of `CreateBody`. */
  export interface IOptions {
    readonly templates: readonly ITemplate[];

    /** The name of the template that is chosen at first. */
    readonly template: string;
    readonly network: NetworkMode | '';
    readonly trans: TranslationBundle;
  }
}

/** Tags as they are typed: between commas. */
export function parseTags(text: string): readonly string[] {
  const tags = text.split(',').map(tag => tag.trim());
  return [...new Set(tags.filter(Boolean))];
}

function Fields(options: CreateBody.IOptions): React.JSX.Element {
  const { network, templates, trans } = options;
  const usable = templates.filter(template => template.brokenReason === null);
  const first = usable.find(({ name }) => name === options.template) ?? usable[0];
  const [source, setSource] = React.useState(first?.name ?? '');
  const chosen = usable.find(({ name }) => name === source);
  return (
    <>
      <PrefixField
        label={trans.__('Name')}
        help={trans.__('The server adds 8 digits, as in my-api-a7b3c2d1.')}
        rule={trans.__(
          'Use 1 to 32 of a–z, 0–9 and “-”, beginning with a letter, for example my-api.'
        )}
      />
      <Field label={trans.__('Start from')} help={chosen?.description}>
        {control => (
          <select
            {...control}
            name="source"
            value={source}
            onChange={event => {
              setSource(event.target.value);
            }}
          >
            {usable.length === 0 && <option value="">{trans.__('Nothing')}</option>}
            {usable.map(({ name, title }) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
            <option value={REPOSITORY}>{trans.__('Git repository')}</option>
          </select>
        )}
      </Field>
      {source === REPOSITORY && (
        <Field label={trans.__('Address of the repository')}>
          {control => (
            <input
              {...control}
              name="repo_url"
              required
              maxLength={2048}
              spellCheck={false}
              placeholder={trans.__('https://example.org/team/project.git')}
            />
          )}
        </Field>
      )}
      <Field label={trans.__('Network')}>
        {control => (
          <select {...control} name="network_mode" defaultValue={network}>
            <option value="">{trans.__('None, or as the template says')}</option>
            <option value="OFF">{trans.__('None')}</option>
            <option value="ON">{trans.__('Sessions have a network')}</option>
          </select>
        )}
      </Field>
      <Field label={trans.__('Description')}>
        {control => <input {...control} name="description" />}
      </Field>
      <Field label={trans.__('Tags')} help={trans.__('With commas between them.')}>
        {control => <input {...control} name="tags" />}
      </Field>
      <Field label={trans.__('Container image')}>
        {control => (
          <input
            {...control}
            name="container_image"
            spellCheck={false}
            placeholder={trans.__("The server's own")}
          />
        )}
      </Field>
    </>
  );
}
