/** A public form: its URL has the form's token. */

import { Problem, publicToken } from '@holdfast/client';
import { openForm } from '../ui/open-form';
import { startOpenPage } from '../ui/page';
import { tokenInAddress } from '../ui/token';

const token = tokenInAddress();
void startOpenPage(publicToken(token ?? ''), (holdfast) => {
  if (token === null) throw new Problem(403, 'LINK_001');
  openForm(holdfast);
});
