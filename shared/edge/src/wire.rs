//! How each view and each input stands in XML and in Protocol Buffers; in JSON they stand as they are.

use quire_app::{
    comments::{CommentView, NewComment},
    page::PageView,
    posts::{PostListItem, PostReplacement, PostView, RevisionListItem, RevisionView},
    sessions::{NewSession, SessionView},
    tags::TagView,
    users::{NewUser, UserView},
};
use quire_domain::post::Draft;
use quire_proto::v1;

use crate::problem::ProblemView;

/// What goes over the wire in several forms. They agree: each is made from, or read into, the members of the JSON form.
pub trait Wire {
    /// The root element in XML.
    const ELEMENT: &'static str;
    /// The message in Protocol Buffers.
    type Message: quire_proto::Document;
}

macro_rules! wire {
    ($($type:ty => $element:literal, $message:ty;)*) => {$(
        impl Wire for $type {
            const ELEMENT: &'static str = $element;
            type Message = $message;
        }
    )*};
}

wire! {
    NewUser => "user", v1::NewUser;
    UserView => "user", v1::User;
    NewSession => "session", v1::NewSession;
    SessionView => "session", v1::Session;
    Draft => "post", v1::NewPost;
    PostReplacement => "post", v1::PostReplacement;
    PostView => "post", v1::Post;
    PageView<PostListItem> => "page", v1::PostPage;
    RevisionView => "revision", v1::Revision;
    PageView<RevisionListItem> => "page", v1::RevisionPage;
    PageView<TagView> => "page", v1::TagPage;
    NewComment => "comment", v1::NewComment;
    CommentView => "comment", v1::Comment;
    PageView<CommentView> => "page", v1::CommentPage;
    ProblemView<'_> => "problem", v1::Problem;
}
