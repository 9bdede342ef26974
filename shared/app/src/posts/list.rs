//! Lists of posts.

use futures::future::BoxFuture;
use quire_domain::{
    Result,
    cursor::{Position, Published},
    details::{Language, Tag},
    id::{PostId, UserId},
    policy::{self, Action},
    post::{PostSummary, Status},
};
use quire_store::{Key, Order, Pages};

use super::{PostListItem, Posts};
use crate::{
    Call,
    input::{Fields, Input},
    page::{PageRequest, PageView, merge, walk},
    selection::Selection,
};

/// The year before which nothing was published: where the list of published posts ends.
const FIRST_YEAR: i16 = 2026;

/// Which posts a client asks for: those to which all apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostFilter {
    /// Of this author.
    pub author: Option<UserId>,
    /// With this tag.
    pub tag: Option<Tag>,
    /// With this status.
    pub status: Option<Status>,
    /// In this language.
    pub language: Option<Language>,
}

impl Input for PostFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let author = fields.optional("author", str::parse);
        let tag = fields.optional("tag", Tag::parse);
        let status = fields.optional("status", Status::parse);
        let language = fields.optional("language", Language::parse);
        Some(Self { author: author?, tag: tag?, status: status?, language: language? })
    }
}

/// What a list of posts takes.
#[derive(Debug, Clone)]
pub struct PostQuery {
    /// Which posts.
    pub filter: PostFilter,
    /// Which members of each.
    pub selection: Selection,
    /// Which page.
    pub page: PageRequest,
}

impl Input for PostQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let (filter, selection) = (PostFilter::read(fields), Selection::read(fields, PostListItem::FIELDS));
        let page = PageRequest::read(fields);
        Some(Self { filter: filter?, selection: selection?, page: page? })
    }
}

impl PostFilter {
    fn keeps(&self, post: &PostSummary) -> bool {
        let Self { author, tag, status, language } = self;
        author.is_none_or(|author| post.author_id == author)
            && tag.as_ref().is_none_or(|tag| post.details.tags.contains(tag))
            && status.is_none_or(|status| post.status == status)
            && language.as_ref().is_none_or(|language| post.details.language.as_ref() == Some(language))
    }

    /// The partition of published posts that holds the fewest others: of an author rather than with a tag, rather than in a language.
    fn published(&self) -> Option<String> {
        let author = self.author.map(Key::authored_by);
        author.or_else(|| self.tag.as_ref().map(Key::tagged)).or_else(|| self.language.as_ref().map(Key::in_language))
    }
}

impl Posts {
    /// Posts that the principal may see, newest first. Published ones, unless `filter` names another status, or an author whose other posts
    /// the principal may see. One query a page, and a few more where the filter keeps little; for published posts one more, for those
    /// whose time has come since the last run that publishes them.
    ///
    /// # Errors
    /// `Invalid` for a wrong cursor, `Unauthenticated` or `Forbidden` for a status that is not for the principal.
    pub fn list<'a>(&'a self, call: &'a Call, filter: &'a PostFilter, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<PostListItem>>> {
        Box::pin(async move {
            let sees_all = policy::allows(&call.principal, Action::SeeUnpublishedPost, filter.author);
            match (filter.status, filter.author) {
                (None, Some(author)) if sees_all => self.by_id(call, Key::owner(author), filter, page).await,
                (None | Some(Status::Published), _) => {
                    // Read first: what is published in between stands in both, and not in neither.
                    let due = self.due(call, filter, page).await?;
                    let published = match filter.published() {
                        Some(partition) => self.by_time(partition, filter, page).await?,
                        None => self.by_year(call, page).await?,
                    };
                    let (posts, next) = merge([published, due], page.limit, position);
                    Ok(PageView::new(posts, position, next))
                }
                (Some(status @ (Status::Draft | Status::Scheduled | Status::Archived)), author) => {
                    policy::require(&call.principal, Action::SeeUnpublishedPost, author)?;
                    self.by_id(call, author.map_or_else(|| Key::with_status(status), Key::owner), filter, page).await
                }
            }
        })
    }

    /// A partition whose posts are sorted by their ids, and so by when they were drafted.
    async fn by_id(&self, call: &Call, partition: String, filter: &PostFilter, page: &PageRequest) -> Result<PageView<PostListItem>> {
        let pages = Pages { prefix: "POST#", ..page.pages::<PostId>(partition, Order::Descending)? };
        let keep = |post: &PostSummary| filter.keeps(&post.clone().as_of(call.now));
        let (posts, next) = walk(&self.store, pages, |post: &PostSummary| post.id, keep).await?;
        Ok(PageView::new(posts.into_iter().map(|post| post.as_of(call.now)), |post| post.id, next))
    }

    /// Posts that stand as scheduled and whose time has come; none of the others is read.
    async fn due(&self, call: &Call, filter: &PostFilter, page: &PageRequest) -> Result<(Vec<PostSummary>, Option<Published>)> {
        let bound = Key::scheduled_until(call.now);
        let after = page.position::<Published>()?.map_or(bound.clone(), |position| position.sort_key().min(bound));
        let pages = Pages { partition: Key::SCHEDULED.into(), prefix: "", after: Some(after), order: Order::Descending, limit: page.limit };
        let page = self.store.page::<PostSummary>(pages).await?;
        let due: Vec<_> = page.items.into_iter().map(|post| post.as_of(call.now)).collect();
        let next = due.last().map(position).filter(|_| page.more);
        Ok((due.into_iter().filter(|post| filter.keeps(post)).collect(), next))
    }

    /// A partition whose posts are sorted by when they were published.
    async fn by_time(&self, partition: String, filter: &PostFilter, page: &PageRequest) -> Result<(Vec<PostSummary>, Option<Published>)> {
        let pages = page.pages::<Published>(partition, Order::Descending)?;
        walk(&self.store, pages, position, |post| filter.keeps(post)).await
    }

    /// All published posts; one query a page, and one more where a page crosses the turn of a year.
    async fn by_year(&self, call: &Call, page: &PageRequest) -> Result<(Vec<PostSummary>, Option<Published>)> {
        let limit = page.limit;
        let after: Option<Published> = page.position()?;
        let mut posts: Vec<PostSummary> = Vec::new();
        let mut more = false;
        let this_year = call.now.year();
        for year in (FIRST_YEAR..=after.map_or(this_year, |position| position.at.year().min(this_year))).rev() {
            let pages = Pages {
                partition: Key::published_in(year),
                prefix: "",
                after: after.filter(|position| position.at.year() == year).map(|position| position.sort_key()),
                order: Order::Descending,
                limit: limit - posts.len(),
            };
            let page = self.store.page(pages).await?;
            posts.extend(page.items);
            more = page.more || (posts.len() == limit && year > FIRST_YEAR);
            if posts.len() == limit {
                break;
            }
        }
        let next = posts.last().map(position).filter(|_| more);
        Ok((posts, next))
    }
}

/// Where a published post stands.
pub(crate) fn position(post: &PostSummary) -> Published {
    Published { at: post.published_at.unwrap_or(post.created_at), id: post.id }
}
