import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IProjectChange } from '../server/changes';
import type { IDetails } from '../server/details';
import type { NetworkMode } from '../server/projects';
import { parseTags } from './create';
import type { FormValues } from './form';
import { Field, FormBody } from './form';

/** The body of the dialog that changes a project. */
export class EditBody extends FormBody {
  constructor(project: IDetails, trans: TranslationBundle) {
    super();
    this._project = project;
    this._trans = trans;
  }

  /** What is to change; empty when nothing is. */
  static change(project: IDetails, values: FormValues): IProjectChange {
    const description = (values.description ?? '').trim();
    const tags = parseTags(values.tags ?? '');
    const network_mode = values.network_mode as NetworkMode;
    const container_image = values.container_image?.trim() ? values.container_image.trim() : null;
    const days = values.cleanup_after_days ? Number(values.cleanup_after_days) : null;
    return {
      ...(description !== project.description && { description }),
      ...(tags.join() !== project.tags.join() && { tags }),
      ...(network_mode !== project.networkMode && { network_mode }),
      ...(container_image !== project.image && { container_image }),
      ...(days !== project.cleanupAfterDays && { cleanup_after_days: days })
    };
  }

  protected override renderFields(): React.JSX.Element {
    const { _project: project, _trans: trans } = this;
    return (
      <>
        <Field label={trans.__('Description')}>
          {control => (
            <input {...control} name="description" defaultValue={project.description} />
          )}
        </Field>
        <Field label={trans.__('Tags')} help={trans.__('With commas between them.')}>
          {control => (
            <input {...control} name="tags" defaultValue={project.tags.join(', ')} />
          )}
        </Field>
        <Field
          label={trans.__('Network')}
          help={trans.__('Network and image reach the sessions started from now on.')}
        >
          {control => (
            <select
              {...control}
              name="network_mode"
              defaultValue={project.networkMode}
            >
              <option value="OFF">{trans.__('None')}</option>
              <option value="ON">{trans.__('Sessions have a network')}</option>
            </select>
          )}
        </Field>
        <Field label={trans.__('Container image')}>
          {control => (
            <input
              {...control}
              name="container_image"
              spellCheck={false}
              placeholder={trans.__("The server's own")}
              defaultValue={project.image ?? ''}
            />
          )}
        </Field>
        <Field
          label={trans.__('Days without use until cleanup')}
          help={trans.__("Nothing for the server's own number.")}
        >
          {control => (
            <input
              {...control}
              name="cleanup_after_days"
              type="number"
              min={1}
              max={3650}
              defaultValue={project.cleanupAfterDays}
            />
          )}
        </Field>
      </>
    );
  }

  private readonly _project: IDetails;
  private readonly _trans: TranslationBundle;
}
